// Lets a reader change to the same page of another version: each lies in a folder beside
// this one, and ../versions.js names them.
(() => {
  const base = new URL(JSON.parse(document.getElementById("__config").textContent).base + "/", location.href);
  const here = decodeURIComponent(base.pathname.split("/").at(-2));

  window.showVersions = (versions) => {
    if (!versions.includes(here)) return; // moved elsewhere on its own
    const select = document.createElement("select");
    select.className = "versions";
    select.setAttribute("aria-label", "Version");
    for (const version of versions) select.add(new Option(version, version, false, version === here));
    select.addEventListener("change", () => {
      location.href = new URL(`../${encodeURIComponent(select.value)}/index.html`, base).href;
    });
    document.querySelector(".md-header__title")?.after(select);
  };

  const list = document.createElement("script");
  list.src = new URL("../versions.js", base).href;
  document.head.append(list);
})();
