// Within a service's page: tells it how tall this page is, and when an objection was made.
const page = document.getElementById("embedded");
const allowed = page.dataset.origins.split(" ").filter(Boolean);

function around() {
  try {
    return location.ancestorOrigins?.[0] ?? new URL(document.referrer).origin;
  } catch {
    return "";
  }
}

function tell(message) {
  const origin = around();
  // Only those that the operator has named; where the browser does not say which, each of them.
  const to = allowed.includes(origin) ? [origin] : allowed;
  for (const one of to) parent.postMessage({ source: "sayso", ...message }, one);
}

if (parent !== window) {
  new ResizeObserver(() => {
    tell({ event: "height", height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
  }).observe(document.documentElement);
  if (page.dataset.done) tell({ event: "done", number: page.dataset.done });
}
