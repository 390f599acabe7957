// Charts (Vega-Lite), with the numbers behind them as a table. Loaded with the first chart.
import "../vendor/vega.js";
import "../vendor/vega-lite.js";
import { expressionInterpreter } from "../vendor/vega-interpreter.js";
import { fileName } from "./pictures.js";
import { button, download, language, make, say } from "./words.js";

const { vega, vegaLite } = globalThis;
const SHOWN = 200; // rows of the table
const MOST_ROWS = 20000;
// Data from elsewhere, links, and what could make endless data from nothing.
const REFUSED = new Set(["url", "href", "sequence", "graticule", "sphere", "keyvals", "usermeta"]);
const ENDLESS = /\b(sequence|pad|repeat)\s*\(/; // in expressions
const COUNTS = new Set(["maxbins", "steps", "tickCount"]);
const MOST_COUNTED = 1000;
const dark = matchMedia("(prefers-color-scheme: dark)");

/**
 * Draw a chart into a figure.
 * @param {HTMLElement} figure empty
 * @param {string} text a Vega-Lite specification as JSON, with its data inside
 * @throws {Error} it is none, or one that is not drawn here
 */
export async function draw(figure, text) {
  const spec = JSON.parse(text);
  check(spec);
  const title = [spec.title?.text ?? spec.title ?? spec.description ?? say("chart")].flat().join(" ");
  const rows = rowsOf(spec);
  if (rows.length > MOST_ROWS) throw new Error("too many rows");
  // One picture to screen readers, which find its numbers in the table; Vega names what is inside.
  const inside = make("div");
  const drawing = make("div", { className: "drawing", role: "img" }, inside);
  drawing.ariaLabel = spec.description ?? say("chart_of", { title });
  const tools = make("p", { className: "tools" });
  figure.replaceChildren(drawing, ...(rows.length ? [table(rows)] : []), tools);
  await laidOut(inside);
  let view = await show(inside, spec);
  dark.addEventListener("change", async () => {
    view.finalize();
    view = await show(inside, spec);
  });
  const name = fileName(title) || "chart";
  tools.append(
    button(say("save_png"), async () => download(await view.toImageURL("png", 2), `${name}.png`)),
    button(say("save_svg"), async () => download(new Blob([await view.toSVG()], { type: "image/svg+xml" }), `${name}.svg`)),
  );
}

function check(part) {
  if (part === null || typeof part !== "object") return;
  for (const [key, value] of Object.entries(part)) {
    // A parameter bound to an element could write into the page's fields, and press its buttons.
    const refused = REFUSED.has(key) || (key === "bind" && typeof value === "object")
      || (COUNTS.has(key) && value > MOST_COUNTED);
    if (refused && !Array.isArray(part)) throw new Error(`not drawn here: ${key}`);
    if (typeof value === "string" && ENDLESS.test(value)) throw new Error("not drawn here: endless data");
    if (key !== "values") check(value);
  }
}

// The chart's width is that of its place, so it has to have one.
function laidOut(element) {
  return new Promise((resolve) => {
    const observer = new ResizeObserver(() => {
      if (!element.clientWidth) return;
      observer.disconnect();
      resolve();
    });
    observer.observe(element);
  });
}

async function show(container, spec) {
  const colours = getComputedStyle(document.documentElement);
  const config = configOf((name) => colours.getPropertyValue(`--${name}`).trim());
  const whole = { background: config.background, ...spec };
  if (!["hconcat", "vconcat", "concat", "repeat", "facet"].some((key) => key in spec) && !facetted(spec)) {
    whole.width = "container";
    whole.autosize = { type: "fit-x", contains: "padding" };
  }
  const logger = vega.logger(vega.Error);
  const compiled = vegaLite.compile(whole, { config, logger }).spec;
  const view = new vega.View(vega.parse(compiled, config, { ast: true }), {
    expr: expressionInterpreter, loader: closedLoader, renderer: "svg", container, hover: true, logger,
  });
  return view.runAsync();
}

function facetted({ encoding = {} }) {
  return ["row", "column", "facet"].some((channel) => channel in encoding);
}

const refuse = () => Promise.reject(new Error("nothing is loaded from elsewhere"));
const closedLoader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };

function configOf(colour) {
  const ink = colour("ink"), soft = colour("soft-ink"), line = colour("line");
  const words = { labelColor: soft, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 600 };
  const series = ["accent", "denied", "held", "soft-ink", "allowed", "alarm"].map(colour);
  return {
    background: colour("surface"),
    font: getComputedStyle(document.body).fontFamily,
    padding: 8,
    axis: { ...words, gridColor: line, domainColor: line, tickColor: line },
    axisXBand: { labelAngle: -35 },
    axisXPoint: { labelAngle: -35 },
    legend: words,
    header: words,
    title: { color: ink, fontSize: 15, fontWeight: 600, anchor: "start" },
    view: { stroke: null, continuousHeight: 240, discreteHeight: 240 },
    mark: { color: colour("accent") },
    text: { color: ink },
    range: { category: series },
    bar: { cornerRadiusEnd: 3 },
    locale: localeOf(),
  };
}

// Numbers and days as the reader writes them.
function localeOf() {
  const parts = new Intl.NumberFormat(language).formatToParts(1234567.8);
  const part = (kind) => parts.find(({ type }) => type === kind)?.value ?? "";
  const named = (options, count, date) => Array.from({ length: count }, (_, n) => new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" }).format(date(n)));
  const weekday = (n) => new Date(Date.UTC(2026, 10, 1 + n)); // a Sunday
  const month = (n) => new Date(Date.UTC(2026, n, 15));
  const german = language === "de";
  return {
    number: { decimal: part("decimal"), thousands: part("group"), grouping: [3], currency: german ? ["", "\u00a0€"] : ["$", ""] },
    time: {
      dateTime: "%A, %e. %B %Y, %X", date: german ? "%d.%m.%Y" : "%Y-%m-%d", time: "%H:%M:%S", periods: ["AM", "PM"],
      days: named({ weekday: "long" }, 7, weekday), shortDays: named({ weekday: "short" }, 7, weekday),
      months: named({ month: "long" }, 12, month), shortMonths: named({ month: "short" }, 12, month),
    },
  };
}

function rowsOf(part) {
  if (part === null || typeof part !== "object") return [];
  const found = [];
  for (const [key, value] of Object.entries(part)) {
    if (key === "values" && Array.isArray(value)) found.push(...value.filter((row) => row && typeof row === "object"));
    else if (key === "datasets" && value && typeof value === "object") found.push(...Object.values(value).flat());
    else found.push(...rowsOf(value));
  }
  return found;
}

function table(rows) {
  const columns = [...new Set(rows.slice(0, SHOWN).flatMap((row) => Object.keys(row)))];
  const head = make("tr", {}, ...columns.map((name) => make("th", { scope: "col", textContent: name })));
  const body = rows.slice(0, SHOWN).map((row) => make("tr", {}, ...columns.map((name) => cell(row[name]))));
  const made = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  const details = make("details", { className: "data" },
    make("summary", { textContent: say("data") }),
    make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: say("table") }, made));
  if (rows.length > SHOWN) details.append(make("p", { className: "fine", textContent: say("more_rows", { number: rows.length - SHOWN }) }));
  return details;
}

function cell(value) {
  const number = typeof value === "number";
  const text = number ? value.toLocaleString(language, { useGrouping: "min2" }) : value === null || value === undefined ? "" : String(value);
  return make("td", { textContent: text, className: number ? "amount" : "" });
}
