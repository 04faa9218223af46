// Copy buttons and the tips of charts. Nothing here is needed to do the work.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without HTTPS the clipboard API is missing: select, so that Ctrl-C works.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    return;
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1600);
});

document.addEventListener("DOMContentLoaded", () => {
  const tip = Object.assign(document.createElement("div"), { className: "ch-tip", hidden: true });
  document.body.append(tip);
  for (const chart of document.querySelectorAll(".ch-chart")) {
    chart.addEventListener("mousemove", (event) => {
      const bar = event.target.closest("[data-tip]");
      tip.hidden = !bar;
      if (!bar) return;
      tip.textContent = bar.dataset.tip;
      tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY - 36}px`;
    });
    chart.addEventListener("mouseleave", () => { tip.hidden = true; });
  }
});
