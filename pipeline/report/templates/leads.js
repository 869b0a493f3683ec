"use strict";
const filter = document.getElementById("filter");
const search = document.getElementById("search");
const told = document.getElementById("told");
const rows = Array.from(document.querySelectorAll("tbody tr"), (row) => [row, row.textContent.toLowerCase()]);
function apply() {
  const tier = filter.querySelector("input[name=tier]:checked").value;
  const words = search.value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const [row, text] of rows) {
    row.hidden = (tier && row.dataset.tier !== tier) || !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  told.textContent = told.dataset.text.replace("{shown}", shown).replace("{rows}", rows.length);
}
filter.addEventListener("input", apply);
filter.addEventListener("submit", (event) => event.preventDefault());
filter.hidden = false;
apply();
