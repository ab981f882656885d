// Airflow keeps its theme in localStorage of the same origin, which a page in a frame cannot see otherwise.
(() => {
  const follow = () => {
    let theme = null;
    try { theme = localStorage.getItem("theme"); } catch { /* a frame without storage follows the system */ }
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  follow();
  addEventListener("storage", follow);
})();
