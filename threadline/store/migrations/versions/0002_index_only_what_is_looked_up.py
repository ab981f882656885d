"""Index only what is looked up, and nothing that a source may write at any length."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


BY_RECORD = ("contact_points", "messages", "order_items", "preferences")


def upgrade() -> None:
    """Go to this migration."""
    for table in BY_RECORD:
        op.create_index(f"{table}_by_record_id", table, ["record_id"], unique=False)
    op.drop_index("cases_by_order_ref", table_name="cases")
    op.drop_index("interactions_by_conversation_ref", table_name="interactions")
    op.drop_index("interactions_by_order_ref", table_name="interactions")
    op.drop_index("messages_by_message_id", table_name="messages")
    op.drop_index("orders_by_number", table_name="orders")
    op.create_index("orders_by_number", "orders", ["number"], unique=False, postgresql_using="hash")
    op.drop_index("outbox_by_target_object_entity_id", table_name="outbox")
    op.create_index("outbox_by_entity_id_target_object", "outbox", ["entity_id", "target", "object"], unique=False)
    op.drop_index("records_by_source_stream_key", table_name="records")
    op.create_index("records_by_source_stream_changed_at", "records", ["source", "stream", "changed_at"], unique=False)


def downgrade() -> None:
    """Go back from this migration."""
    for table in BY_RECORD:
        op.drop_index(f"{table}_by_record_id", table_name=table)
    op.drop_index("records_by_source_stream_changed_at", table_name="records")
    op.create_index("records_by_source_stream_key", "records", ["source", "stream", "key"], unique=False)
    op.drop_index("outbox_by_entity_id_target_object", table_name="outbox")
    op.create_index("outbox_by_target_object_entity_id", "outbox", ["target", "object", "entity_id"], unique=False)
    op.drop_index("orders_by_number", table_name="orders")
    op.create_index("orders_by_number", "orders", ["number"], unique=False)
    op.create_index("messages_by_message_id", "messages", ["message_id"], unique=False)
    op.create_index("interactions_by_order_ref", "interactions", ["order_ref"], unique=False)
    op.create_index("interactions_by_conversation_ref", "interactions", ["conversation_ref"], unique=False)
    op.create_index("cases_by_order_ref", "cases", ["order_ref"], unique=False)
