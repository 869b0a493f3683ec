"use strict";
const filter = document.getElementById("filter");
const owner = document.getElementById("owner");
const search = document.getElementById("search");
const told = document.getElementById("told");
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const leads = Array.from(document.querySelectorAll("table.leads tbody"), (lead) => [lead, plain(lead.textContent)]);
function apply() {
  const tier = filter.querySelector("input[name=tier]:checked").value;
  const words = plain(search.value).split(/\s+/);
  let shown = 0;
  for (const [lead, text] of leads) {
    const fits = (!tier || lead.dataset.tier === tier) && (!owner?.value || lead.dataset.owner === owner.value);
    lead.hidden = !fits || !words.every((word) => text.includes(word));
    shown += lead.hidden ? 0 : 1;
  }
  told.textContent = told.dataset.text.replace("{shown}", shown).replace("{rows}", leads.length);
}
filter.addEventListener("input", apply);
filter.addEventListener("submit", (event) => event.preventDefault());
filter.hidden = false;
apply();
