// One meter: fields follow the aggregation, and the server says what it would read off a pasted event.
document.addEventListener("DOMContentLoaded", () => {
  const aside = document.getElementById("meter-trial");
  if (!aside) return;
  const settings = JSON.parse(document.getElementById("meter-settings").textContent);
  const form = document.getElementById("meter_form");
  const inputs = aside.querySelector("[data-inputs]");
  const result = aside.querySelector("[data-result]");
  const state = aside.querySelector("[data-state]");
  const aggregation = form?.querySelector("[name=aggregation]");

  const help = Object.assign(document.createElement("div"), { className: "leading-relaxed mt-2 text-xs" });
  aggregation?.parentElement.parentElement.append(help);

  // What is hidden is disabled too, so that it is not sent.
  function fit() {
    if (!aggregation) return;
    for (const [name, aggregations] of Object.entries(settings.fields)) {
      const line = form.querySelector(`.field-line.field-${name}`);
      const isShown = aggregations.includes(aggregation.value);
      line.hidden = !isShown;
      line.style.display = isShown ? "" : "none";
      line.querySelector("input").disabled = !isShown;
    }
    help.textContent = settings.help[aggregation.value] ?? "";
  }

  let running;
  let timer;
  async function ask() {
    running?.abort();
    running = new AbortController();
    const body = form ? new FormData(form) : new FormData();
    for (const [name, value] of new FormData(inputs)) body.set(name, value);
    state.textContent = "…";
    try {
      const response = await fetch(aside.dataset.url, { method: "POST", body, signal: running.signal, credentials: "same-origin" });
      if (!response.ok) throw new Error(response.status);
      result.innerHTML = await response.text();
      state.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") state.textContent = "It can't be tried now; reload the page.";
    }
  }
  const soon = () => { clearTimeout(timer); timer = setTimeout(ask, 250); };

  inputs.addEventListener("submit", (event) => event.preventDefault());
  inputs.addEventListener("input", soon);
  form?.addEventListener("input", () => { fit(); if (inputs.elements.sample.value) soon(); });
  form?.addEventListener("change", () => { fit(); if (inputs.elements.sample.value) soon(); });
  fit();
});
