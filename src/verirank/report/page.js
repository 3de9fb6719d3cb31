"use strict";

function compare(column, numeric) {
  return (one, other) => {
    const [a, b] = [one, other].map((row) => {
      const cell = row.cells[column];
      return cell.dataset.value ?? cell.textContent.trim();
    });
    return numeric ? Number(a) - Number(b) : a.localeCompare(b);
  };
}

function sortBy(heading) {
  const table = heading.closest("table");
  const descending = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const inOrder = compare(heading.cellIndex, heading.classList.contains("number"));
  for (const body of table.tBodies) {
    const fixed = [...body.rows].filter((row) => "fixed" in row.dataset);
    const rows = [...body.rows].filter((row) => !("fixed" in row.dataset)).sort(inOrder);
    body.append(...(descending ? rows.reverse() : rows), ...fixed);
  }
}

document.querySelectorAll("thead th").forEach((heading) => {
  heading.querySelector("button").addEventListener("click", () => {
    sortBy(heading);
    keepView();
  });
});

/* A hint stands below each table or picture that is wider than its place. */
const hints = [...document.querySelectorAll(".scroll")].map((part) => {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.setAttribute("aria-hidden", "true");
  hint.textContent = "Wider than the screen: scroll it sideways.";
  part.after(hint);
  return [part, hint];
});

function showHints() {
  for (const [part, hint] of hints) hint.hidden = part.scrollWidth <= part.clientWidth + 1;
}

window.addEventListener("resize", showHints);
document.addEventListener("toggle", showHints, true);

document.querySelectorAll(".zoom").forEach((button) => {
  button.addEventListener("click", () => {
    const zoomed = button.closest("figure").querySelector(".chart").classList.toggle("zoomed");
    button.setAttribute("aria-pressed", zoomed);
    button.textContent = zoomed ? "Fit" : "Zoom";
    showHints();
  });
});

const filter = document.querySelector(".filter");
const counter = filter.querySelector("output");
const board = document.querySelector("#leaderboard table");
const families = new Map(
  [...board.querySelectorAll("[data-method]")].map(({ dataset }) => [dataset.method, dataset.family]),
);

function matches(method, family) {
  const words = filter.elements.method.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const named = words.length === 0 || words.some((word) => method.toLowerCase().includes(word));
  return named && (!filter.elements.family.value || family === filter.elements.family.value);
}

/* A mark's words begin with its method and a colon; see `described`. */
function methodOf(mark) {
  const words = mark.getAttribute("aria-label");
  let found;
  for (const method of families.keys()) {
    if (words.startsWith(`${method}: `) && method.length > (found ?? "").length) found = method;
  }
  return found;
}

function applyFilter() {
  document.querySelectorAll("tr[data-method], details[data-method]").forEach((part) => {
    part.hidden = !matches(part.dataset.method, part.dataset.family);
  });
  document.querySelectorAll(".chart [aria-label]").forEach((mark) => {
    const method = methodOf(mark);
    if (method) mark.classList.toggle("faded", !matches(method, families.get(method)));
  });
  const kept = [...families].filter((pair) => matches(...pair)).length;
  counter.textContent = `${kept} of ${families.size} ${counter.dataset.counted}`;
}

function showBench() {
  const bench = filter.elements.bench;
  if (bench) for (const body of board.tBodies) body.hidden = body.dataset.bench !== bench.value;
}

filter.addEventListener("input", () => {
  showBench();
  applyFilter();
  keepView();
});
filter.addEventListener("submit", (event) => event.preventDefault());

/* The address holds the view: what is filtered, and how the leaderboard is sorted. */
const view = filter.querySelector(".view");

function keepView() {
  const controls = [...filter.elements].filter(({ name, value }) => name && value);
  const kept = new URLSearchParams(controls.map(({ name, value }) => [name, value]));
  const sorted = board.querySelector("thead [aria-sort]");
  if (sorted) kept.set("sort", `${sorted.cellIndex} ${sorted.getAttribute("aria-sort")}`);
  view.href = `#${kept}`;
  view.hidden = false;
  history.replaceState(null, "", view.href);
}

function restoreView() {
  const kept = new URLSearchParams(location.hash.slice(1));
  if (!kept.has("sort")) return;
  for (const [name, value] of kept) if (filter.elements[name]) filter.elements[name].value = value;
  const [column, order] = kept.get("sort").split(" ");
  const heading = board.tHead.rows[0].cells[column];
  for (let tries = 0; heading && heading.getAttribute("aria-sort") !== order && tries < 2; tries++) sortBy(heading);
  showBench();
  applyFilter();
  view.href = location.hash;
  view.hidden = false;
}

const hover = document.getElementById("hover");

function showWords(event) {
  const mark = event.target.closest?.(".chart [aria-label]");
  const words = mark && methodOf(mark) ? mark.getAttribute("aria-label") : "";
  hover.hidden = !words;
  if (!words) return;
  hover.textContent = words;
  const { width, height } = hover.getBoundingClientRect();
  const left = Math.min(event.clientX + 12, window.innerWidth - width - 8);
  const above = event.clientY - height - 12;
  hover.style.transform = `translate(${Math.max(8, left)}px, ${above < 8 ? event.clientY + 16 : above}px)`;
}

document.addEventListener("pointermove", showWords);
document.addEventListener("pointerdown", showWords);
document.addEventListener("scroll", () => (hover.hidden = true), { passive: true });

counter.textContent = `${families.size} ${counter.dataset.counted}`;
restoreView();
showHints();
document.documentElement.dataset.ready = "true";
