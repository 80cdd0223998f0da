// Draws the charts, heeds the lists above the page, and the switch between light and dark. It loads nothing.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const looks = read("chart-config");
const panels = read("choices");
const lists = [...document.querySelectorAll("[data-list]")];

// Pixels of a character of a label, and of a line.
const character = 7, line = 14;
const names = (spec, field) => {
  const rows = (spec.datasets || {rows: []}).rows;
  return [...new Set(rows.map((row) => row[field]).filter((name) => name !== undefined))].map(String);
};
// As labels are cut into lines: see drawing.py.
const inLines = (name, letters) => {
  const end = new RegExp(`(.{1,${letters}})(?:\\s+|$|(?<=[a-z])(?=[A-Z])|(?<=[a-z][.])(?=[a-z]))`, "g");
  return name.replace(end, "$1\n").trim().split("\n");
};

// A legend names what is drawn; where there are more names than colours, those that are drawn have one each.
function nameDrawn(part, spec) {
  const series = names(spec, "series");
  const narrowed = {};
  for (const [channel, colour] of Object.entries(part.encoding || {})) {
    if (!["color", "fill"].includes(channel) || !colour.scale || !series.length) continue;
    const {domain, range} = colour.scale;
    const drawn = domain.filter((name) => series.includes(name));
    const own = drawn.map((name) => range[domain.indexOf(name) % range.length]);
    const scale = {domain: drawn, range: new Set(own).size < own.length ? range : own};
    narrowed[channel] = {...colour, scale, sort: drawn};
  }
  return part.encoding ? {...part, encoding: {...part.encoding, ...narrowed}} : part;
}

// Names wrap to the width of the place, rows are as high as they need, and squares have numbers or a legend.
function fit(spec, width) {
  const rows = names(spec, "name"), columns = names(spec, "column");
  const letters = width >= 800 ? 44 : width >= 460 ? 28 : columns.length ? 15 : 20;
  const most = (texts) => Math.max(0, ...texts.map((text) => text.length));
  const lines = rows.map((name) => inLines(name, letters));
  const beside = Math.min(letters, most(lines.flat())) * character + 24;
  const each = columns.length ? (width - beside) / columns.length : 0;
  const lying = Math.max(Math.floor(each / character), 3);
  const words = columns.flatMap((name) => inLines(name, lying));
  const standing = most(words) > lying;
  const crowded = columns.length > 0 && each < most(names(spec, "short")) * character;
  const layers = (spec.layer || []).map((layer) => nameDrawn(layer, spec)).flatMap((layer) => {
    if (!columns.length) return [layer];
    if (layer.mark.type === "text") return crowded ? [] : [layer];
    const shade = {...layer.encoding.opacity, ...(crowded ? {} : {legend: null})};
    return [{...layer, encoding: {...layer.encoding, opacity: shade}}];
  });
  // Vega can fit the width of a chart only where its height is a number. Side by side, bars leave a fifth of a row.
  const step = spec.height && spec.height.step;
  const grouped = (spec.layer || []).some((layer) => layer.encoding.yOffset);
  const row = step * (grouped ? names(spec, "series").length / 0.8 : 1);
  const tall = line * Math.max(1, ...lines.map((parts) => parts.length)) + 8;
  const config = {...looks, axisX: {labelOverlap: "parity", labelSeparation: 8}};
  if (columns.length) config.axisXBand = {labelAngle: standing ? -90 : 0};
  const params = {
    name_line: letters,
    column_line: standing ? letters : lying,
    legend_line: Math.floor((width - beside - 24) / character),
  };
  return {
    config,
    spec: {
      ...nameDrawn(spec, spec),
      ...(spec.layer ? {layer: layers} : {}),
      ...(step ? {height: Math.max(row, tall) * rows.length} : {}),
      params: Object.entries(params).map(([name, value]) => ({name, value})),
    },
  };
}

// Vega's interpreter (ast) needs no eval, so the page can forbid it.
// A chart without rows is left out: what stands below it says that there is nothing.
async function draw(place) {
  place.hidden = Boolean(place.spec.datasets && !place.spec.datasets.rows.length);
  if (place.hidden) return;
  delete place.dataset.drawn;
  const {spec, config} = fit(place.spec, place.clientWidth);
  const options = {mode: "vega-lite", ast: true, renderer: "svg", actions: false, logLevel: 1, config};
  try {
    if (place.view) place.view.finalize();
    const result = await vegaEmbed(place, spec, options);
    place.view = result.view;
    place.dataset.drawn = "yes";
  } catch (error) {
    place.dataset.drawn = "no";
    place.textContent = "This chart cannot be drawn here; its numbers are below.";
  }
}

function fillTable(table, shown) {
  const left = Number(table.dataset.left);
  const marked = new Set(shown.marked || []);
  const body = document.createElement("tbody");
  shown.rows.forEach((cells, number) => {
    const row = body.insertRow();
    if (marked.has(number)) row.className = "marked";
    if (shown.has_total && number === shown.rows.length - 1) row.className = "total";
    cells.forEach((text, place) => {
      const cell = document.createElement(place === 0 ? "th" : "td");
      if (place === 0) cell.scope = "row";
      if (place >= left) cell.className = "number";
      else if (text.length > 16) cell.className = "words";
      cell.textContent = text;
      row.append(cell);
    });
  });
  table.replaceChild(body, table.tBodies[0]);
}

function show(id, shown) {
  const tile = document.querySelector(`[data-tile="${id}"]`);
  if (tile) {
    tile.querySelector(".value").textContent = shown ? shown.value : "\u2013";
    tile.querySelector(".change").textContent = shown ? shown.change : "";
  }
  for (const table of document.querySelectorAll(`[data-table="${id}"]`)) {
    fillTable(table, shown || {rows: []});
  }
  const place = document.querySelector(`[data-chart="spec-${id}"]`);
  if (place) {
    place.spec = {...place.spec, datasets: {rows: shown ? shown.chart : []}};
    draw(place);
  }
  nameMore();
  for (const nothing of document.querySelectorAll(`[data-nothing="${id}"]`)) {
    nothing.hidden = Boolean(shown && (shown.rows ? shown.rows.length : shown.value));
  }
}

// What a list that is set leaves as it is says so.
function tellApart(id, follows) {
  const set = (list) => !list.options[list.selectedIndex].defaultSelected;
  const apart = lists.filter((list, number) => set(list) && !follows.includes(number));
  const told = document.querySelector(`[data-apart="${id}"]`);
  told.textContent = `Not narrowed by: ${apart.map((list) => list.dataset.list).join(", ")}`;
  told.hidden = !apart.length;
}

function choose() {
  for (const [id, {follows, choices}] of Object.entries(panels)) {
    if (follows.length) show(id, choices[follows.map((number) => lists[number].value).join(",")]);
    tellApart(id, follows);
  }
  const told = lists.map((list) => `${list.dataset.list}: ${list.selectedOptions[0].textContent}`);
  document.getElementById("chosen").textContent = `Shown: ${told.join("; ")}`;
}

// A table that is wider than its place says so.
function nameMore() {
  for (const hint of document.querySelectorAll(".sideways")) {
    const place = hint.previousElementSibling;
    hint.hidden = place.scrollWidth <= place.clientWidth + 1;
  }
}
nameMore();
document.addEventListener("toggle", nameMore, true);

for (const place of document.querySelectorAll("[data-chart]")) {
  place.spec = read(place.dataset.chart);
  draw(place);
}
for (const list of lists) list.addEventListener("change", choose);
// A page that is reloaded keeps what was chosen in its lists.
if (lists.some((list) => !list.options[list.selectedIndex].defaultSelected)) choose();

const root = document.documentElement;
const button = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
const isDark = () => (root.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
function nameButton() {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
}
if (button) {
  if (remembered()) root.dataset.theme = remembered();
  nameButton();
  prefersDark.addEventListener("change", nameButton);
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a page without storage forgets it */ }
    nameButton();
  });
}

// Widths change labels, so a chart is drawn anew when it becomes narrow or wide.
let narrow = innerWidth < 600;
addEventListener("resize", () => {
  nameMore();
  if ((innerWidth < 600) !== narrow) {
    narrow = !narrow;
    document.querySelectorAll("[data-chart]").forEach(draw);
  }
});

// Where not all pages are in sight, the one shown is.
const here = document.querySelector(".pages [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 60;
