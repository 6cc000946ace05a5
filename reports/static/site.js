// Draws the charts in the reader's theme, sorts tables, and keeps the choice from page to page.
"use strict";

(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const narrow = () => window.innerWidth < 640;

  function themed(figure) {
    const quiet = style("quiet"), line = style("line"), ink = style("ink");
    const data = figure.data.map((trace) => ({
      ...trace,
      marker: { ...trace.marker, color: style(trace.marker.color), line: { width: 0 } },
    }));
    const axis = {
      gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line,
      tickfont: { color: quiet, size: 12 }, fixedrange: narrow(),
    };
    const given = figure.layout;
    const layout = {
      ...given,
      autosize: true,
      dragmode: narrow() ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
      hoverlabel: { ...given.hoverlabel, bgcolor: style("raised"), bordercolor: line, font: { color: ink, size: 12 } },
      legend: {
        ...given.legend, font: { color: ink, size: 12 },
        ...(narrow() ? { orientation: "v", y: -0.18, yanchor: "top" } : {}),
      },
      xaxis: { ...given.xaxis, ...axis },
      yaxis: { ...given.yaxis, ...axis, title: { ...given.yaxis.title, font: { color: quiet, size: 12 } } },
    };
    return [data, layout];
  }

  function draw(plot, again) {
    if (!plot.offsetParent || (plot.dataset.drawn && !again)) return;
    const figure = JSON.parse(plot.parentElement.querySelector("script").textContent);
    const [data, layout] = themed(figure);
    layout.height = Number(plot.dataset.height) + (narrow() ? 22 * data.length : 0);
    plot.dataset.drawn = "yes";
    window.Plotly.react(plot, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  }

  const drawAll = (again) => document.querySelectorAll(".plot").forEach((plot) => draw(plot, again));

  function fillNumbers(details) {
    const box = details.querySelector(".scroll");
    if (box.firstChild) return;
    const { data, names, currency } = JSON.parse(details.parentElement.querySelector("script").textContent);
    const start = Date.parse(data[0].x0);
    const days = data[0].y.map((_, place) => new Date(start + place * data[0].dx).toISOString().slice(0, 10));
    const table = document.createElement("table");
    const add = (row, tag, text, scope) => {
      const cell = row.appendChild(document.createElement(tag));
      cell.textContent = text;
      if (scope) cell.scope = scope;
    };
    table.createCaption().textContent = box.getAttribute("aria-label");
    table.caption.className = "unseen";
    const head = table.createTHead().insertRow();
    for (const title of ["Day", ...names.map((name) => `${name}, ${currency}`)]) add(head, "th", title, "col");
    const body = table.createTBody();
    days.forEach((day, place) => {
      const row = body.insertRow();
      add(row, "th", day, "row");
      for (const trace of data) add(row, "td", trace.customdata[place] || "–");
    });
    box.append(table);
  }

  function remember(input) {
    try { sessionStorage.setItem("mlspend-" + input.name, input.value); } catch { /* a reader may forbid it */ }
  }

  function recall() {
    for (const name of ["range", "currency"]) {
      let value = null;
      try { value = sessionStorage.getItem("mlspend-" + name); } catch { /* as above */ }
      for (const input of document.querySelectorAll(`.choices input[name="${name}"]`)) {
        if (input.value === value) input.checked = true;
      }
    }
  }

  function sortValue(row, column) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.querySelector("span[title]")?.title ?? cell.textContent.trim();
    if (text === "–") return -Infinity;
    const number = /^([−+-]?[\d,]*\.?\d+)\s?(%|h|[A-Z]{3})?$/.exec(text);
    return number ? Number(number[1].replace("−", "-").replaceAll(",", "")) : text;
  }

  function sort(table, column, header) {
    const descending = header.getAttribute("aria-sort") !== "descending";
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [sortValue(row, column), row]);
    rows.sort(([a], [b]) => {
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return descending ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      if (header.querySelector(".unseen")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sorter";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, column, header));
    });
  }

  document.querySelectorAll("details.numbers").forEach((details) => {
    details.addEventListener("toggle", () => fillNumbers(details));
  });
  recall();
  document.querySelector(".choices")?.addEventListener("change", (event) => {
    remember(event.target);
    drawAll(false);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  drawAll(false);
})();
