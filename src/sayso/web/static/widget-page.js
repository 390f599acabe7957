// The chat within another page: takes that page's colours, and tells it when to close.
const allowed = document.getElementById("embedded").dataset.origins.split(" ").filter(Boolean);
const wish = new URLSearchParams(location.search);
const root = document.documentElement;
const LEGIBLE = 4.5; // WCAG 2.2, 1.4.3

function tell(event) {
  // Only those that the operator has named.
  for (const origin of allowed) parent.postMessage({ source: "sayso", event }, origin);
}

/** Show the light or the dark colours, whatever the device prefers. */
function setTheme(theme) {
  root.style.colorScheme = theme;
  for (const { cssRules } of document.styleSheets) {
    for (const rule of cssRules) {
      if (rule.media?.mediaText.includes("prefers-color-scheme")) {
        rule.media.mediaText = theme === "dark" ? "all" : "not all";
      }
    }
  }
}

/** Take a colour, darker or lighter where it could not be read. */
function setAccent(hex) {
  const style = getComputedStyle(root);
  const grounds = ["surface", "ground", "tint"].map((name) => colourOf(style.getPropertyValue(`--${name}`)));
  const dark = light(grounds[0]) < 0.2;
  let colour = colourOf(hex);
  while (grounds.some((ground) => contrast(colour, ground) < LEGIBLE)) {
    const next = colour.map((part) => (dark ? Math.ceil(part + (255 - part) * 0.1) : Math.floor(part * 0.9)));
    if (String(next) === String(colour)) break;
    colour = next;
  }
  const paper = contrast(colour, [255, 255, 255]) >= LEGIBLE;
  for (const name of ["accent", "accent-strong"]) root.style.setProperty(`--${name}`, `rgb(${colour.join(" ")})`);
  root.style.setProperty("--on-accent", paper ? "#ffffff" : "#000000");
}

function colourOf(hex) {
  return hex.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
}

function light(colour) {
  const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const theme = wish.get("theme");
if (theme === "light" || theme === "dark") setTheme(theme);
if (/^[0-9a-f]{6}$/i.test(wish.get("accent") ?? "")) setAccent(wish.get("accent"));
if (parent !== window) {
  addEventListener("leave", () => tell("close"));
  // The frame got the focus, so its field gets it.
  const focus = () => {
    if (document.activeElement === document.body) document.getElementById("question").focus({ preventScroll: true });
  };
  addEventListener("focus", focus);
  if (document.hasFocus()) focus();
}
