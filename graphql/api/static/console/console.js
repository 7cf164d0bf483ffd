// What the pages cannot do without a script: keys, sliders, what was looked at lately, and the picture of a life.
"use strict";
(() => {
  const RECENT = "caseledger.recent";
  const MOST_RECENT = 8;
  const COLOURS = { UNKNOWN: "#c5ccd3", GOOD: "#5aa77a", WATCH: "#e0a526", ADVERSE: "#dd6b35", DISHONEST: "#b3261e" };

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Search by keys: / goes to the field, up and down move along what was found.
  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("q");
    if (!field || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const links = all("#found .found a");
      const place = links.indexOf(document.activeElement);
      if (!links.length || (place < 0 && document.activeElement !== field)) return;
      event.preventDefault();
      const next = place + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? field : links[Math.min(next, links.length - 1)]).focus();
    }
  });

  // A slider and its field say the same; one of dates counts the days from its begin on.
  const DAY = 86400000;
  const dayOf = (text) => Date.parse(`${text}T00:00:00Z`) / DAY;
  document.addEventListener("input", (event) => {
    const { for: number, daysFor, begins } = event.target.dataset || {};
    if (number) document.getElementById(number).value = event.target.value;
    if (daysFor) {
      const day = new Date((dayOf(begins) + Number(event.target.value)) * DAY);
      document.getElementById(daysFor).value = day.toISOString().slice(0, 10);
    }
    // A position that is chosen takes the place of a date, and the other way round.
    if (number === "knownAt" || event.target.id === "knownAt") document.getElementById("knownOn").value = "";
  });

  function slideDays(slider) {
    const { daysFor, begins, ends } = slider.dataset;
    slider.max = Math.max(1, dayOf(ends) - dayOf(begins));
    slider.value = dayOf(document.getElementById(daysFor).value) - dayOf(begins);
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  function remembered() {
    try {
      return JSON.parse(localStorage.getItem(RECENT)) || [];
    } catch {
      return [];
    }
  }

  function remember(file) {
    const seen = { uscc: file.dataset.uscc, name: file.dataset.name };
    const others = remembered().filter((each) => each.uscc !== seen.uscc);
    localStorage.setItem(RECENT, JSON.stringify([seen, ...others].slice(0, MOST_RECENT)));
  }

  function showRecent(section) {
    const list = section.querySelector("ul");
    for (const { uscc, name } of remembered()) {
      const link = document.createElement("a");
      link.href = `/enterprises/${encodeURIComponent(uscc)}`;
      link.textContent = name;
      list.append(Object.assign(document.createElement("li"), {}));
      list.lastElementChild.append(link);
    }
    section.hidden = !list.children.length;
  }

  let charts = null;
  function loaded(address) {
    charts ||= new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: reject });
      document.head.append(script);
    });
    return charts;
  }

  function bands(life, from) {
    return life.spans.map((span, place) => {
      const next = life.spans[place + 1];
      const begin = span.from || from;
      return [
        {
          xAxis: begin < from ? from : begin, name: span.label, itemStyle: { color: COLOURS[span.status] },
          label: { color: span.status === "DISHONEST" ? "#ffffff" : "#1b2430" },
        },
        { xAxis: next ? next.from : life.until },
      ];
    }).filter(([begin, end]) => begin.xAxis < end.xAxis);
  }

  function beginOf(life) {
    const days = [...life.months, ...life.complaints].map((each) => each.month);
    days.push(...life.spans.map((span) => span.from).filter(Boolean));
    if (!days.length) return life.until;
    const first = new Date(days.reduce((a, b) => (a < b ? a : b)));
    // Room for what there was before: nothing is known of it, and that is shown.
    first.setUTCMonth(first.getUTCMonth() - 2);
    return first.toISOString().slice(0, 10);
  }

  function options(life, words) {
    const from = beginOf(life);
    const text = { color: "#1b2430" };
    const time = { type: "time", min: from, max: life.until, axisLabel: text };
    return {
      textStyle: { fontFamily: "inherit" },
      // Drawn on the canvas: what comes from events is never markup.
      tooltip: { renderMode: "richText", confine: true, formatter: ({ data }) => (data && data.said) || "" },
      grid: [
        { left: 92, right: 24, top: 12, height: 40 },
        { left: 92, right: 24, top: 66, height: 30 + 24 * life.lanes.length },
        { left: 92, right: 24, bottom: 58, height: 80 },
      ],
      xAxis: [
        { ...time, gridIndex: 0, show: false },
        { ...time, gridIndex: 1, show: false },
        { ...time, gridIndex: 2 },
      ],
      yAxis: [
        { gridIndex: 0, type: "category", data: [words.status], axisTick: { show: false }, axisLabel: text },
        { gridIndex: 1, type: "category", data: life.lanes, inverse: true, splitLine: { show: true }, axisLabel: text },
        { gridIndex: 2, type: "value", minInterval: 1, name: words.complaints, nameLocation: "middle", nameGap: 50, nameTextStyle: text, axisLabel: text },
      ],
      dataZoom: [{ type: "slider", xAxisIndex: [0, 1, 2], bottom: 8, height: 20 }, { type: "inside", xAxisIndex: [0, 1, 2], zoomOnMouseWheel: "ctrl" }],
      series: [
        {
          type: "line", xAxisIndex: 0, yAxisIndex: 0, data: [], silent: false,
          markArea: { data: bands(life, from), label: { position: "inside", fontWeight: 600 } },
        },
        {
          type: "scatter", xAxisIndex: 1, yAxisIndex: 1, cursor: "pointer",
          data: life.months.map((each) => ({
            value: [each.month, each.lane],
            symbolSize: 9 + 5 * Math.log10(each.events),
            said: `${each.month.slice(0, 7)}  ${each.label} × ${each.events}`,
            month: each,
          })),
          itemStyle: { color: "#0b5394" },
        },
        {
          type: "bar", xAxisIndex: 2, yAxisIndex: 2, barMaxWidth: 14, itemStyle: { color: "#8a5a00" },
          data: life.complaints.map((each) => ({ value: [each.month, each.events], said: `${each.month.slice(0, 7)}  ${words.complaints} ${each.events}` })),
        },
      ],
      animation: false,
    };
  }

  // One event is opened; of several the history shows all of their area in that month.
  function open(month) {
    if (month.events === 1) {
      location.assign(`/events/${month.position}`);
      return;
    }
    const [year, number] = month.month.split("-").map(Number);
    const last = new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
    const form = document.querySelector("#history form");
    form.elements.area.value = month.area;
    form.elements.from.value = month.month;
    form.elements.to.value = last;
    form.dispatchEvent(new Event("change", { bubbles: true }));
    document.getElementById("history-title").scrollIntoView();
  }

  async function draw(element) {
    const life = JSON.parse(element.dataset.life);
    const rows = life.lanes.length;
    element.style.height = `${66 + 30 + 24 * rows + 30 + 80 + 58}px`;
    await loaded(element.dataset.script);
    const chart = echarts.init(element, null, { renderer: "canvas" });
    chart.setOption(options(life, { status: element.dataset.status, complaints: element.dataset.complaints }));
    chart.on("click", ({ data }) => data && data.month && open(data.month));
    new ResizeObserver(() => chart.resize()).observe(element);
  }

  function begin(within) {
    const file = within.querySelector("#file") || (within.id === "file" ? within : null);
    if (file) remember(file);
    const recent = within.querySelector("#recent");
    if (recent) showRecent(recent);
    all("[data-days-for]", within).forEach(slideDays);
    const life = within.querySelector("#life");
    if (life) draw(life);
  }

  // What is refused has a page of its own, which says why.
  document.addEventListener("htmx:responseError", (event) => location.assign(event.detail.pathInfo.finalRequestPath));
  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.elt.id === "file" || event.detail.target.id === "file") begin(document);
  });
})();
