// Draws the figures that the page holds as JSON, keeps the filters in the address, saves pictures.
(() => {
  "use strict";
  const root = document.documentElement;

  // "var(--name)" in a figure is the theme's colour of that name.
  function themed(value, styles) {
    if (typeof value === "string") {
      return value.startsWith("var(--") ? styles.getPropertyValue(value.slice(4, -1)).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map((one) => themed(one, styles));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, themed(one, styles)]));
    }
    return value;
  }

  const DAY = 86400000;
  function withDefaults(layout, styles, narrow, days) {
    const grid = styles.getPropertyValue("--grid").trim();
    const shared = {
      autosize: true,
      dragmode: false,
      font: { family: "system-ui, sans-serif", size: 13, color: styles.getPropertyValue("--text").trim() },
      hoverlabel: { namelength: 24 },
      hovermode: "x unified",
      showlegend: false,  // the page has it, where it wraps
      margin: { l: narrow ? 44 : 60, r: 32, t: 8, b: 48 },
      paper_bgcolor: styles.getPropertyValue("--card").trim(),
      plot_bgcolor: styles.getPropertyValue("--card").trim(),
    };
    const merged = { ...shared, ...layout };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis/.test(key))])) {
      const axis = { gridcolor: grid, zerolinecolor: grid, automargin: true, fixedrange: true, ...layout[name] };
      // few enough that digits of a decade never lie on one another
      if (axis.type === "log") axis.nticks = 3;
      axis.ticklabelstandoff = name.startsWith("x") ? 8 : 4;
      if (name === "xaxis") axis.automargin = false;
      if (narrow && axis.nticks) axis.nticks = 2;
      merged[name] = axis;
    }
    if (!("type" in merged.xaxis)) merged.xaxis.type = "date";
    if (merged.xaxis.type === "date") {
      merged.xaxis.hoverformat = "%Y-%m-%d";
      if (narrow) merged.xaxis.nticks = 3;
      // of few days no hours are named
      if (days <= 8) merged.xaxis.dtick = (narrow ? 3 : 1) * DAY;
    }
    return merged;
  }

  let round = 0;
  async function drawAll() {
    const mine = ++round;
    const styles = getComputedStyle(root);
    const narrow = innerWidth < 600;
    const plots = [...document.querySelectorAll(".plot")];
    for (const plot of plots) {
      const figure = JSON.parse(plot.parentElement.querySelector("script").textContent);
      const layout = withDefaults(themed(figure.layout, styles), styles, narrow, Math.max(...figure.data.map((trace) => new Set(trace.x).size)));
      try {
        await Plotly.react(plot, themed(figure.data, styles), layout, { displayModeBar: false, responsive: true });
      } catch (error) {
        plot.textContent = "This chart cannot be drawn; its CSV has the rows.";
        console.error(plot.dataset.name, error);
      }
      if (mine !== round) return;  // another page, theme or view is drawn instead
    }
    root.dataset.drawn = String(plots.length);
  }

  function clicked(event) {
    const format = event.target.dataset && event.target.dataset.format;
    if (!format) return;
    const plot = event.target.closest("figure").querySelector(".plot");
    // a picture has the legend that the page has beside the chart
    const legend = { orientation: "h", y: -0.14, yanchor: "top", traceorder: "normal" };
    const layout = { ...plot.layout, showlegend: true, legend, width: 1280, height: 640 };
    Plotly.downloadImage({ data: plot.data, layout }, { format, filename: plot.dataset.name, width: 1280, height: 640, scale: 2 });
  }

  // The form as an address: what is not chosen is not in it.
  function asked(form) {
    const fields = new FormData(form);
    const query = new URLSearchParams();
    const coins = fields.getAll("coin");
    if (coins.length && coins.length < form.querySelectorAll("[name=coin]").length) {
      coins.forEach((coin) => query.append("coin", coin));
    }
    if (fields.get("days")) query.set("days", fields.get("days"));
    else { query.set("from", fields.get("from")); query.set("to", fields.get("to")); }
    const text = query.toString();
    return form.getAttribute("action") + (text ? "?" + text : "");
  }

  let newest = 0;
  async function show(address, push) {
    const number = ++newest;
    delete root.dataset.drawn;
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (number !== newest) return;  // a later choice overtook this one
    const focused = document.activeElement && document.activeElement.name
      ? [document.activeElement.name, document.activeElement.value] : null;
    const open = new Set([...document.querySelectorAll("details[open]")].map((one) => one.id));
    document.querySelectorAll(".plot").forEach((plot) => Plotly.purge(plot));
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.querySelector("nav").replaceWith(page.querySelector("nav"));
    document.title = page.title;
    document.querySelectorAll("details").forEach((one) => { one.open = one.open || open.has(one.id); });
    if (push) history.pushState({}, "", address);
    if (focused) {
      const again = [...document.getElementsByName(focused[0])].find((one) => one.value === focused[1]);
      if (again) again.focus();
    }
    await drawAll();
  }

  function setTheme(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", String(theme === "dark"));
  }

  document.addEventListener("click", clicked);
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form || form.id !== "filters") return;
    if (event.target.type === "date") form.querySelector('[name=days][value=""]').checked = true;
    show(asked(form), true);
  });
  document.addEventListener("submit", (event) => { event.preventDefault(); show(asked(event.target), true); });
  addEventListener("popstate", () => show(location.href, false));
  document.getElementById("theme").addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", theme); } catch { /* it is kept for this page alone */ }
    setTheme(theme);
    drawAll();
  });
  setTheme(root.dataset.theme);
  drawAll();
})();
