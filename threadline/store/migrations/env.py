"""Runs migrations on the connection that `threadline.store.migrate` opened and locked."""

from alembic import context

from threadline.store.metadata import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata(), transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
