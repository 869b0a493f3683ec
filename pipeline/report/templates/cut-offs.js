"use strict";
const given = JSON.parse(document.getElementById("given").textContent);
const form = document.getElementById("choice");
const byId = (name) => document.getElementById(name);
const USUAL = { value: 1000, sales_contact: 50, nurturing: 5, effect: null };
const money = given.money || USUAL;
const written = (number, options = {}) => number.toLocaleString(given.language, options);
const whole = (number) => written(Math.round(number));
const decimal = (number, digits = 1) => written(number, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = (share) => written(share, { style: "percent", maximumSignificantDigits: 3 });
const say = (name, filled = {}) => given.says[name].replace(/\{(\w+)\}/g, (_, key) => filled[key]);
const way = () => form.elements.way.value;
const field = (of, name) => form.elements[`${of}.${name}`];
const read = (of, name) => (field(of, name).value === "" ? null : Number(field(of, name).value));

function fill() {
  form.elements.way.value = given.from;
  for (const name of Object.keys(USUAL)) field("money", name).value = money[name] ?? "";
  for (const name of ["mql", "sql"]) {
    field("multiples", name).value = given.multiples[name];
    field("tiers", name).value = Number((100 * given.tiers[name]).toPrecision(4));
  }
}

// As models/decision/tiers.py computes them; what a page can't know of single leads stands in `worth`.
function cutOffs() {
  if (way() === "money") {
    const [value, sales, nurturing, effect] = Object.keys(USUAL).map((name) => read("money", name));
    if (!(value > 0 && sales > 0 && nurturing > 0)) return say("worth");
    if (effect !== null && !(effect > 0 && effect <= 1)) return say("effect");
    const brought = value * (effect ?? 1);
    if (!(nurturing < sales)) return say("nurture");
    if (!(sales < brought)) return say("no_lead", { sales: written(sales), brought: written(brought) });
    return { mql: nurturing / brought, sql: sales / brought };
  }
  const [mql, sql] = ["mql", "sql"].map((name) => read(way(), name));
  if (!(mql > 0 && sql > mql)) return say("order");
  if (way() === "tiers") return sql < 100 ? same({ mql: mql / 100, sql: sql / 100 }) : say("below");
  const multiplied = (multiple) => (multiple * given.base_rate) / (1 - given.base_rate + multiple * given.base_rate);
  return { mql: multiplied(mql), sql: multiplied(sql) };
}

// What a field rounds is the cut-off that is in force.
function same(cuts) {
  const near = (name) => Math.abs(cuts[name] - given.tiers[name]) < 1e-4 * given.tiers[name];
  return { mql: near("mql") ? given.tiers.mql : cuts.mql, sql: near("sql") ? given.tiers.sql : cuts.sql };
}

const groupsOf = (of) => given.spread.by[of === "money" && given.spread.by.worth ? "worth" : "probability"];

function count(cuts, of) {
  const sums = Object.fromEntries(["disqualified", "SQL", "recycled", "MQL", "IQL"].map((tier) => [tier, [...(given.spread.fixed[tier] || [0, 0, 0])]]));
  const groups = groupsOf(of);
  for (const [group, rows] of Object.entries(groups)) {
    for (const [edge, ...brings] of rows) {
      const reaches = (cut) => edge >= cut * (1 - 1e-9);
      const sql = reaches(cuts.sql) && group !== "refused";
      const tier = sql ? "SQL" : group === "recycled" ? "recycled" : reaches(cuts.mql) ? "MQL" : "IQL";
      brings.forEach((one, place) => { sums[tier][place] += one; });
    }
  }
  return sums;
}

const now = count(given.tiers, given.from);

function show() {
  for (const label of form.querySelectorAll("label[data-way]")) label.hidden = label.dataset.way !== way();
  const cuts = cutOffs();
  const isWrong = typeof cuts === "string";
  byId("wrong").textContent = isWrong ? cuts : "";
  byId("outcome").hidden = byId("keep").hidden = isWrong;
  if (isWrong) return;
  const sums = count(cuts, way());
  const [leads, expected, worth] = sums.SQL;
  byId("told").textContent = say("told", { cut: percent(cuts.sql), leads: whole(leads), expected: whole(expected) });
  const told = [say("one_in", { sql: whole(1 / cuts.sql), cut: percent(cuts.mql), mql: whole(1 / cuts.mql) })];
  if (given.places) told.push(say("places", { places: whole(given.places), days: decimal(leads / given.places) }));
  if (way() === "money") {
    const effect = read("money", "effect");
    if (effect === null) told.push(say("unmeasured"));
    else told.push(say("calls", { cost: whole(leads * read("money", "sales_contact")), brought: whole(effect * read("money", "value") * (given.money ? worth / given.money.value : expected)) }));
  }
  byId("meaning").textContent = told.join(" ");
  for (const row of document.querySelectorAll("tr[data-tier]")) {
    const [many, convert] = sums[row.dataset.tier];
    const before = now[row.dataset.tier][0];
    [whole(many), whole(before), decimal(convert), many ? decimal((100 * convert) / many) : "–"].forEach((text, place) => { row.cells[place + 1].textContent = text; });
    row.hidden = !many && !before;
  }
  draw(cuts);
  keep();
}

function keep() {
  const numbers = way() === "money" ? Object.keys(USUAL) : ["mql", "sql"];
  const said = numbers.map((name) => [name, read(way(), name)]).filter(([, value]) => value !== null);
  const lines = said.map(([name, value]) => `${name}: ${way() === "tiers" ? Number((value / 100).toPrecision(12)) : value}`);
  byId("lines").textContent = `decision:\n  ${way()}: {${lines.join(", ")}}`;
  const goBefore = { tiers: [], money: ["tiers"], multiples: ["tiers", "money"] }[way()];
  byId("before").textContent = goBefore.length ? say("before", { ways: goBefore.join(say("and")) }) : "";
  byId("copied").textContent = "";
}

const LEFT = 60, RIGHT = 700, TOP = 15, BOTTOM = 255, LOWEST = -3.5;
const across = (share) => LEFT + ((RIGHT - LEFT) * (Math.max(Math.log10(share), LOWEST) - LOWEST)) / -LOWEST;

function add(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  byId("picture").append(made);
}

function draw(cuts) {
  byId("picture").replaceChildren();
  const groups = groupsOf(way());
  const taken = [...groups.free, ...groups.recycled].sort((one, other) => other[0] - one[0]);
  let [leads, expected] = given.spread.fixed.SQL || [0, 0];
  const points = leads ? [[1, leads, expected / leads]] : [];
  for (const [edge, many, convert] of taken) {
    leads += many;
    expected += convert;
    points.push([Math.max(edge, 10 ** LOWEST), leads, expected / leads]);
  }
  const down = (share) => BOTTOM - (BOTTOM - TOP) * share;
  const line = (place, most, colour) => add("polyline", {
    points: points.map((point) => `${across(point[0]).toFixed(1)},${down(point[place] / most).toFixed(1)}`).join(" "),
    fill: "none", stroke: colour, "stroke-width": 2.5,
  });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    add("line", { x1: LEFT, x2: RIGHT, y1: down(share), y2: down(share), stroke: "#d9e0e7" });
    add("text", { x: LEFT - 6, y: down(share) + 4, "text-anchor": "end", class: "axis leads" }, whole(share * leads));
    add("text", { x: RIGHT + 6, y: down(share) + 4, class: "axis convert" }, `${100 * share}`);
  }
  for (const share of [0.001, 0.01, 0.1, 1]) add("text", { x: across(share), y: BOTTOM + 20, "text-anchor": "middle", class: "axis" }, percent(share));
  add("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 40, "text-anchor": "middle", class: "axis" }, say("axis"));
  line(1, leads || 1, "#0f6fb8");
  line(2, 1, "#8a4b08");
  for (const [name, cut] of [["MQL", cuts.mql], ["SQL", cuts.sql]]) {
    add("line", { x1: across(cut), x2: across(cut), y1: TOP, y2: BOTTOM, stroke: "#1f2933", "stroke-dasharray": "4 3" });
    add("text", { x: across(cut) + 4, y: TOP + 10, class: "axis" }, name);
  }
}

byId("copy").addEventListener("click", () => {
  const chosen = document.createRange();
  chosen.selectNodeContents(byId("lines"));
  getSelection().removeAllRanges();
  getSelection().addRange(chosen);
  byId("copied").textContent = document.execCommand("copy") ? say("copied") : say("selected");
});
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
fill();
form.hidden = false;
show();
