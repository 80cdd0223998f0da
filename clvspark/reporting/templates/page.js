// Draws the charts, heeds the lists above the page, and the switch between light and dark. It loads nothing.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const looks = read("chart-config");
const panels = read("choices");
const lists = [...document.querySelectorAll("[data-list]")];

// Narrow places leave less room for names.
function looksFor(place) {
  if (place.clientWidth >= 800) return {...looks, axisY: {...looks.axisY, labelLimit: 420}};
  if (place.clientWidth >= 460) return looks;
  return {...looks, axisY: {...looks.axisY, labelLimit: 104}, axisX: {labelOverlap: "greedy", labelSeparation: 8}};
}

// Vega's interpreter (ast) needs no eval, so the page can forbid it.
async function draw(place) {
  // Many squares side by side have no room for numbers there; they are in the table.
  const columns = new Set((place.spec.datasets || {rows: []}).rows.map((row) => row.column));
  const crowded = place.clientWidth < 460 && columns.size > 6;
  const layers = (place.spec.layer || []).filter((layer) => !crowded || layer.mark.type !== "text");
  const spec = place.spec.layer ? {...place.spec, layer: layers} : place.spec;
  const options = {
    mode: "vega-lite", ast: true, renderer: "svg", actions: false, logLevel: 1, config: looksFor(place),
  };
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
  for (const nothing of document.querySelectorAll(`[data-nothing="${id}"]`)) {
    nothing.hidden = Boolean(shown && (shown.rows ? shown.rows.length : shown.value));
  }
}

function choose() {
  for (const [id, panel] of Object.entries(panels)) {
    show(id, panel.choices[panel.follows.map((number) => lists[number].value).join(",")]);
  }
  const told = lists.map((list) => `${list.dataset.list}: ${list.selectedOptions[0].textContent}`);
  document.getElementById("chosen").textContent = `Shown: ${told.join("; ")}`;
}

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
  if ((innerWidth < 600) !== narrow) {
    narrow = !narrow;
    document.querySelectorAll("[data-chart]").forEach(draw);
  }
});
