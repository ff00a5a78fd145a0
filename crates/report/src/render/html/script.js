// What a page without a script cannot do: sort its tables, zoom its plots, read out a moment. Each
// plot over time is an SVG that stretches, so zooming is a change of its viewBox, and of what is
// marked by data-x around it.
"use strict";

for (const table of document.querySelectorAll("table[data-sorts]")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "descending" ||
        (!head.hasAttribute("aria-sort") && !head.classList.contains("n"));
      for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "ascending" : "descending");
      const key = (row) => row.children[column].dataset.v ?? row.children[column].textContent;
      const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => (falls ? 1 : -1) * compare(key(a), key(b)));
      table.tBodies[0].append(...rows);
    });
  });
}

const SVG = "http://www.w3.org/2000/svg";
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

function digits(value) {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

function shown(value, unit) {
  if (value === null || value === undefined) return "–";
  const scaled = (factor, units) => {
    let at = 0;
    while (value >= factor && at < units.length - 1) { value /= factor; at += 1; }
    return `${at ? digits(value) : Math.round(value)} ${units[at]}`;
  };
  if (unit === "ns") return scaled(1000, ["ns", "µs", "ms", "s"]);
  if (unit === "B") return scaled(1000, ["B", "kB", "MB", "GB"]);
  if (unit === "%") return `${(value * 100).toFixed(1)} %`;
  if (unit === "cores") return value.toFixed(2);
  return Math.round(value).toLocaleString("en") + unit;
}

function clock(at, step, end) {
  if (end <= 180) return `${at.toFixed(Math.max(0, -Math.floor(Math.log10(step))))} s`;
  const two = (n) => String(n).padStart(2, "0");
  const s = Math.round(at);
  const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
  return hours || end >= 3600 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

function timeStep(least) {
  if (least >= 1) return STEPS.find((step) => step >= least) ?? Math.ceil(least / 3600) * 3600;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((f) => f * power).find((step) => step >= least * (1 - 1e-9));
}

for (const scenario of document.querySelectorAll(".scenario[data-end]")) {
  const end = Number(scenario.dataset.end);
  const tools = scenario.querySelector(".tools");
  const frames = [...scenario.querySelectorAll(".time svg.frame")];
  if (!tools || !frames.length) continue;
  tools.hidden = false;
  let from = 0, to = 1; // the part of the run that is seen, as shares of it

  const points = frames.map((frame) => {
    const text = frame.closest("figure").querySelector("script");
    return text ? JSON.parse(text.textContent) : null;
  });

  function zoom(a, b) {
    const width = Math.min(1, Math.max(b - a, 1 / 2000));
    from = Math.min(Math.max(0, a), 1 - width);
    to = from + width;
    const place = (share) => `${((share - from) / width) * 100}%`;
    const step = timeStep(((width * end) / (innerWidth < 640 ? 4 : 8)) * 0.95);
    for (const frame of frames) {
      frame.querySelector(".data").setAttribute("viewBox", `${from * 10000} 0 ${width * 10000} 1000`);
      for (const mark of frame.querySelectorAll("[data-x]")) {
        const x = Number(mark.dataset.x);
        const last = Number(mark.dataset.to ?? x);
        mark.toggleAttribute("hidden", last < from || x > to);
        // A phase that began before the view is named at the view's beginning.
        mark.setAttribute("x", place(mark.dataset.to ? Math.max(x, from) : x));
        if (mark.dataset.to) {
          mark.setAttribute("width", `${((Math.min(last, to) - Math.max(x, from)) / width) * 100}%`);
        }
      }
      const ticks = frame.querySelector(".ticks");
      ticks.replaceChildren();
      for (let n = Math.ceil((from * end) / step - 1e-9); n * step <= to * end * (1 + 1e-9); n += 1) {
        const at = place((n * step) / end);
        const line = document.createElementNS(SVG, "line");
        const text = document.createElementNS(SVG, "text");
        for (const [name, value] of [["x1", at], ["x2", at], ["y2", "100%"]]) line.setAttribute(name, value);
        for (const [name, value] of [["x", at], ["y", "100%"], ["dy", "17"], ["text-anchor", "middle"]]) {
          text.setAttribute(name, value);
        }
        text.textContent = clock(n * step, step, end);
        ticks.append(line, text);
      }
    }
  }

  function read(share) {
    const at = share * end;
    scenario.classList.toggle("reading", share >= 0);
    tools.querySelector("output").textContent = share < 0 ? "" : `at ${clock(at, end / 1000, end)}`;
    frames.forEach((frame, number) => {
      const x = `${((share - from) / (to - from)) * 100}%`;
      const line = frame.querySelector(".cursor");
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      const own = points[number];
      if (!own) return;
      let index = own.x.findIndex((start) => start > at) - 1;
      if (index === -2) index = own.x.length - 1;
      const values = frame.closest("figure").querySelectorAll(".legend .value");
      values.forEach((value, line) => {
        value.textContent = share < 0 || index < 0 ? "" : shown(own.s[line].v[index], own.s[line].u);
      });
    });
  }

  for (const frame of frames) {
    const data = frame.querySelector(".data");
    const share = (event) => {
      const box = frame.getBoundingClientRect();
      return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (to - from);
    };
    let start = null, brush = null;
    // Empty places of an SVG take no pointer; a transparent ground does.
    const ground = document.createElementNS(SVG, "rect");
    for (const [name, value] of [["width", 10000], ["height", 1000], ["fill", "transparent"]]) {
      ground.setAttribute(name, value);
    }
    data.prepend(ground);
    data.addEventListener("pointerdown", (event) => {
      start = share(event);
      data.setPointerCapture(event.pointerId);
      brush = document.createElementNS(SVG, "rect");
      brush.setAttribute("class", "brush");
      brush.setAttribute("height", "1000");
      data.append(brush);
    });
    data.addEventListener("pointermove", (event) => {
      const now = share(event);
      read(now);
      if (brush) {
        brush.setAttribute("x", Math.min(start, now) * 10000);
        brush.setAttribute("width", Math.abs(now - start) * 10000);
      }
    });
    const finish = (event) => {
      brush?.remove();
      const now = share(event);
      const dragged = event.type === "pointerup" && start !== null && Math.abs(now - start) > (to - from) / 100;
      if (dragged) zoom(Math.min(start, now), Math.max(start, now));
      start = brush = null;
    };
    data.addEventListener("pointerup", finish);
    data.addEventListener("pointercancel", finish);
    data.addEventListener("pointerleave", () => { if (start === null) read(-1); });
    data.addEventListener("dblclick", () => zoom(0, 1));
  }

  const moves = { in: [0.25, -0.25], out: [-0.5, 0.5], earlier: [-0.25, -0.25], later: [0.25, 0.25] };
  tools.addEventListener("click", (event) => {
    const move = event.target.dataset?.move;
    if (!move) return;
    const [a, b] = moves[move] ?? [-Infinity, Infinity];
    zoom(Math.max(-1, from + a * (to - from)), Math.min(2, to + b * (to - from)));
  });
  addEventListener("resize", () => zoom(from, to));
  zoom(0, 1);
}

// On paper nothing can be opened by a click.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
