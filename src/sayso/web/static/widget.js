// One line puts the community's assistant into a page of yours:
//   <script src="…/static/widget.js" defer></script>
// Nothing is loaded besides this file before somebody opens it. See docs/widget.md.
(() => {
  const { src, dataset } = document.currentScript;
  const home = new URL(src).origin;
  const WORDS = {
    en: { label: "Ask the community", close: "Close", frame: "Assistant of the community" },
    de: { label: "Frag die Community", close: "Schließen", frame: "Assistent der Community" },
  };
  const wanted = dataset.lang || document.documentElement.lang || navigator.language;
  const language = wanted.toLowerCase().startsWith("de") ? "de" : "en";
  const words = WORDS[language];
  const label = dataset.label || words.label;
  const accent = /^#[0-9a-f]{6}$/i.test(dataset.accent ?? "") ? dataset.accent : "#17695f";
  const onAccent = luminance(accent) > 0.179 ? "#000000" : "#ffffff";
  const side = dataset.position === "left" ? "left" : "right";
  const theme = ["light", "dark"].includes(dataset.theme) ? dataset.theme : "";

  function luminance(hex) {
    const [r, g, b] = hex.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function make(name, properties, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  // Within a shadow: the page's styles do not reach in, ours not out. A sheet that is made so is
  // allowed by policies that forbid styles within the page.
  const host = make("sayso-chat", {});
  const inside = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  const dark = "background: #1a2324; color: #e8ece8; border-color: #3a4847;";
  sheet.replaceSync(`
    :host { all: initial; }
    * { box-sizing: border-box; }
    button { font: 600 16px/1.3 system-ui, sans-serif; cursor: pointer; }
    .open { position: fixed; bottom: max(16px, env(safe-area-inset-bottom)); ${side}: 16px; z-index: 2147483000; max-width: calc(100vw - 32px);
      padding: 13px 20px; border: 1px solid ${onAccent}40; border-radius: 32px; background: ${accent}; color: ${onAccent}; box-shadow: 0 6px 24px #0003; }
    :focus-visible { outline: 3px solid ${accent}; outline-offset: 3px; box-shadow: 0 0 0 3px #ffffff; }
    .panel { position: fixed; bottom: 16px; ${side}: 16px; z-index: 2147483001; display: flex; flex-direction: column; overflow: hidden;
      width: min(420px, calc(100vw - 32px)); height: min(680px, calc(100dvh - 32px));
      border: 1px solid #d5d1c5; border-radius: 18px; background: #f6f4ee; color: #1d2a2c; box-shadow: 0 12px 48px #0004; }
    [hidden] { display: none !important; }
    header { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 6px 6px 6px 16px; border-bottom: 1px solid #8883; font: 600 16px/1.3 system-ui, sans-serif; }
    header button { width: 40px; height: 40px; padding: 0; border: 0; border-radius: 50%; background: none; color: inherit; font-size: 24px; line-height: 1; }
    header button:hover { background: #8883; }
    header button:focus-visible { outline-color: currentColor; outline-offset: -3px; box-shadow: none; }
    iframe { flex: 1; width: 100%; border: 0; background: transparent; }
    @media (max-width: 480px) { .panel { inset: 0; width: 100%; height: 100dvh; border: 0; border-radius: 0; } }
    ${theme === "dark" ? `.panel { ${dark} }` : theme ? "" : `@media (prefers-color-scheme: dark) { .panel { ${dark} } }`}
  `);
  inside.adoptedStyleSheets = [sheet];

  const opener = make("button", { type: "button", className: "open", textContent: label });
  const closer = make("button", { type: "button", ariaLabel: words.close, title: words.close, textContent: "×" });
  const panel = make("section", { className: "panel", hidden: true }, make("header", {}, make("span", { textContent: label }), closer));
  panel.setAttribute("role", "dialog");
  panel.ariaLabel = label;
  opener.ariaExpanded = "false";
  opener.setAttribute("aria-haspopup", "dialog");
  let frame = null;
  let loaded = false;

  function open() {
    if (!frame) {
      const query = new URLSearchParams({ lang: language, ...(theme && { theme }), ...(dataset.accent && { accent: accent.slice(1) }) });
      frame = make("iframe", { title: words.frame, allow: "clipboard-write", referrerPolicy: "origin", src: `${home}/widget?${query}` });
      frame.addEventListener("load", () => {
        loaded = true;
        // Not while it is empty: the focus does not move on from there.
        if (inside.activeElement === closer) frame.focus();
      });
      panel.append(frame);
    }
    panel.hidden = false;
    opener.hidden = true;
    opener.ariaExpanded = "true";
    (loaded ? frame : closer).focus();
  }

  function close() {
    panel.hidden = true;
    opener.hidden = false;
    opener.ariaExpanded = "false";
    opener.focus();
  }

  opener.addEventListener("click", open);
  closer.addEventListener("click", close);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("message", ({ origin, source, data }) => {
    if (origin !== home || !frame || source !== frame.contentWindow) return;
    if (data?.source === "sayso" && data.event === "close") close();
  });
  inside.append(opener, panel);
  document.body.append(host);
})();
