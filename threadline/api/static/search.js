// A search names a person, so that it stays in no address: Airflow copies that of a frame into its own and logs it when it is loaded
// again. The browser's history keeps it apart, for the way back from a customer.
(() => {
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) history.replaceState({ asked }, "", location.pathname);
  else if (history.state?.asked) location.replace(`?q=${encodeURIComponent(history.state.asked)}`);
})();
