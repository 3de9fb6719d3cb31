"use strict";

function draw(block) {
  const chart = document.getElementById(block.dataset.for);
  // With `ast`, expressions are interpreted, so that the page needs no eval.
  const options = { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } };
  return vegaEmbed(chart, JSON.parse(block.textContent), options).then(() => {
    chart.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  });
}

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
  const body = table.tBodies[0];
  const descending = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...body.rows].sort(compare(heading.cellIndex, heading.classList.contains("number")));
  body.append(...(descending ? rows.reverse() : rows));
}

document.querySelectorAll("thead th").forEach((heading) => {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
});
Promise.all([...document.querySelectorAll(".specification")].map(draw)).then(() => {
  document.documentElement.dataset.ready = "true";
});
