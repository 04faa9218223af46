// One price: fields follow the model, and the server says what the form as it stands would cost.
// Amounts are computed by the server alone; here they become pixels.
document.addEventListener("DOMContentLoaded", () => {
  const aside = document.getElementById("price-preview");
  if (!aside) return;
  const settings = JSON.parse(document.getElementById("price-settings").textContent);
  const form = aside.dataset.form ? document.getElementById(aside.dataset.form) : null;
  const inputs = aside.querySelector("[data-inputs]");
  const result = aside.querySelector("[data-result]");
  const state = aside.querySelector("[data-state]");
  const holder = aside.querySelector("[data-curve]");

  // Fields that belong to the model. What is hidden is disabled too, so that it is not sent.
  const show = (element, isShown) => {
    if (!element) return;
    element.hidden = !isShown;
    element.style.display = isShown ? "" : "none";
    for (const control of element.querySelectorAll("input, select, textarea")) {
      if (control.type !== "hidden") control.disabled = !isShown;
    }
  };
  const model = () => form?.querySelector("[name=model]")?.value ?? "";

  function fit() {
    if (!form) return;
    const chosen = model();
    for (const [name, models] of Object.entries(settings.models)) {
      const isGroup = name === "tiers" || name === "filters";
      show(isGroup ? document.getElementById(`${name}-group`) : form.querySelector(`.field-line.field-${name}`), models.includes(chosen));
    }
    const tiers = document.getElementById("tiers-group");
    if (tiers && !tiers.hidden) {
      for (const [name, models] of Object.entries(settings.tierModels)) {
        for (const cell of tiers.querySelectorAll(`td.field-${name}`)) show(cell, models.includes(chosen));
        for (const head of tiers.querySelectorAll(`th.column-${name}`)) head.style.display = models.includes(chosen) ? "" : "none";
      }
    }
    for (const fieldset of form.querySelectorAll("fieldset.module")) {
      const lines = [...fieldset.querySelectorAll(".field-line")];
      if (lines.length) fieldset.style.display = lines.every((line) => line.hidden) ? "none" : "";
    }
    show(inputs.querySelector("[data-for=events]"), chosen === "percentage");
    show(inputs.querySelector("[data-for=unit_amount]"), chosen === "dynamic");
    show(inputs.querySelector("[data-for=quantity]"), chosen !== "flat");
  }

  // What is filled in, or refused, is not folded away.
  function unfold() {
    for (const fold of form.querySelectorAll("fieldset.ch-fold details")) {
      const isFilled = [...fold.querySelectorAll(".field-line:not([hidden]) input[type=text]")].some((input) => input.value && input.value !== input.dataset.idle);
      if (isFilled || fold.querySelector(".errors")) fold.open = true;
    }
  }

  function dimensions() {
    const meter = form?.querySelector("[name=meter]")?.value ?? "";
    const list = document.getElementById("price-dimensions");
    list.replaceChildren(...(settings.dimensions[meter] ?? []).map((name) => Object.assign(document.createElement("option"), { value: name })));
  }

  // The preview
  let running;
  let timer;
  async function ask() {
    running?.abort();
    running = new AbortController();
    const body = form ? new FormData(form) : new FormData(inputs);
    for (const control of inputs.elements) if (control.name && !control.disabled) body.set(control.name, control.value);
    body.set("plan_version", aside.dataset.version);
    if (aside.dataset.price) body.set("price", aside.dataset.price);
    state.textContent = "…";
    try {
      const response = await fetch(aside.dataset.url, { method: "POST", body, signal: running.signal, credentials: "same-origin" });
      if (!response.ok) throw new Error(response.status);
      result.innerHTML = await response.text();
      state.textContent = "";
      draw();
    } catch (error) {
      if (error.name !== "AbortError") state.textContent = "The preview can't be reached; reload the page.";
    }
  }
  const soon = () => { clearTimeout(timer); timer = setTimeout(ask, 250); };

  // The curve
  let chart;
  function draw() {
    const data = result.querySelector("#price-curve");
    holder.hidden = !data;
    if (!data) { chart?.destroy(); chart = null; return; }
    const curve = JSON.parse(data.textContent);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const point = ([x, y]) => ({ x: Number(x), y: Number(y) });
    const money = new Intl.NumberFormat("en", { style: "currency", currency: curve.currency, minimumFractionDigits: curve.places, maximumFractionDigits: 6 });
    const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 4 });
    const shortMoney = new Intl.NumberFormat("en", { style: "currency", currency: curve.currency, notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 4 });
    const datasets = [{ data: curve.points.map(point), borderColor: colour("--ch-bar"), borderWidth: 2, pointRadius: 0, pointHitRadius: 8, tension: 0, fill: "origin", backgroundColor: colour("--ch-under") }];
    if (curve.typed) datasets.push({ data: [point(curve.typed)], borderColor: colour("--ch-ink"), backgroundColor: colour("--ch-ink"), pointRadius: 4, pointHitRadius: 8 });
    const axis = (format) => ({
      type: "linear", min: 0, border: { display: false }, grid: { color: colour("--ch-line") },
      ticks: { color: colour("--ch-faint"), maxTicksLimit: 6, font: { size: 11 }, callback: (value) => format.format(value) },
    });
    chart?.destroy();
    chart = new Chart(holder.querySelector("canvas"), {
      type: "line", data: { datasets },
      options: {
        animation: false, maintainAspectRatio: false, parsing: false, interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: { x: { ...axis(short), max: Number(curve.points.at(-1)[0]) }, y: axis(shortMoney) },
        plugins: { legend: { display: false }, tooltip: { displayColors: false, callbacks: {
          title: (items) => `${items[0].parsed.x.toLocaleString("en")} ${curve.unit}`, label: (item) => money.format(item.parsed.y) } } },
      },
    });
  }

  if (form) {
    form.addEventListener("input", () => { fit(); dimensions(); soon(); });
    form.addEventListener("change", () => { fit(); dimensions(); soon(); });
    document.addEventListener("formset:added", () => { fit(); soon(); });
    document.addEventListener("formset:removed", soon);
    fit();
    dimensions();
    unfold();
    ask();
  } else {
    draw();
  }
  inputs.addEventListener("input", soon);
  inputs.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
});
