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
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
});

const filter = document.querySelector(".filter");
const told = filter.querySelector("output");
const board = document.querySelector("#leaderboard table");
const families = new Map(
  [...board.querySelectorAll("[data-method]")].map(({ dataset }) => [dataset.method, dataset.family]),
);

function wanted(method, family) {
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
    part.hidden = !wanted(part.dataset.method, part.dataset.family);
  });
  document.querySelectorAll(".chart [aria-label]").forEach((mark) => {
    const method = methodOf(mark);
    if (method) mark.classList.toggle("faded", !wanted(method, families.get(method)));
  });
  const kept = [...families].filter((pair) => wanted(...pair)).length;
  told.textContent = `${kept} of ${families.size} ${told.dataset.counted}`;
}

function showBench() {
  const bench = filter.elements.bench;
  if (bench) for (const body of board.tBodies) body.hidden = body.dataset.bench !== bench.value;
}

filter.addEventListener("input", () => {
  showBench();
  applyFilter();
});
filter.addEventListener("submit", (event) => event.preventDefault());

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

told.textContent = `${families.size} ${told.dataset.counted}`;
document.documentElement.dataset.ready = "true";
