"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const cards = [...byId("scans").children];
  const rows = [...byId("overview").children];
  const none = byId("none");
  const shown = byId("shown");
  const names = new Intl.Collator(undefined, { numeric: true });
  const place = (item) => Number(item.dataset.place);
  const orders = {
    rank: (a, b) => a.dataset.rank - b.dataset.rank || b.dataset.findings - a.dataset.findings,
    name: (a, b) => names.compare(a.dataset.name, b.dataset.name),
    findings: (a, b) => b.dataset.findings - a.dataset.findings,
    place: () => 0,
  };
  const filters = {
    all: () => true,
    review: (flag) => flag === "error" || flag === "warning",
    error: (flag) => flag === "error",
    clear: (flag) => flag === "note" || flag === "clear",
  };
  const texts = new Map(cards.map((card) => [card.id, card.textContent.toLowerCase()]));

  const sort = () => {
    const key = byId("sort").value;
    const order = (a, b) => orders[key](a, b) || place(a) - place(b);
    byId("scans").append(...cards.sort(order));
    byId("overview").append(...rows.sort(order));
    for (const head of document.querySelectorAll("th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", key === "name" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  };
  const filter = () => {
    const wanted = filters[byId("filter").value];
    const text = byId("find").value.trim().toLowerCase();
    let count = 0;
    for (const card of cards) {
      card.hidden = !(wanted(card.dataset.flag) && texts.get(card.id).includes(text));
      count += card.hidden ? 0 : 1;
    }
    for (const row of rows) row.hidden = byId(row.dataset.card).hidden;
    none.hidden = count > 0;
    shown.textContent = `${count} of ${cards.length} shown`;
  };

  byId("sort").addEventListener("change", sort);
  byId("filter").addEventListener("change", filter);
  byId("find").addEventListener("input", filter);
  for (const button of document.querySelectorAll("button[data-sort]")) {
    button.addEventListener("click", () => {
      byId("sort").value = button.dataset.sort;
      sort();
    });
  }
  for (const id of ["contours", "names"]) {
    const box = byId(id);
    const apply = () => document.body.classList.toggle(`no-${id}`, !box.checked);
    box.addEventListener("change", apply);
    apply();
  }
  sort();
  filter();
})();
