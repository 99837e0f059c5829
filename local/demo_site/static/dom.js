// Elements are built one by one, and text is only ever text: nothing here can be read as markup.

/** An element. Listeners are given as functions, `style` as custom properties, everything else as attributes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "style") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const shown = new WeakMap();

/**
 * Fills a container with what `build` makes of `data`, and leaves it alone when the data is what it was.
 * Whoever has the focus keeps it: elements are known again by their `data-key`. Says whether anything was drawn.
 */
export function show(container, data, build) {
  const said = JSON.stringify(data);
  if (shown.get(container) === said) return false;
  shown.set(container, said);
  const focused = document.activeElement;
  const key = container.contains(focused) ? focused.dataset.key : undefined;
  container.replaceChildren(...[build(data)].flat());
  if (key) {
    container.tabIndex = -1; // Where the focus goes when what had it is gone.
    (container.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? container).focus({ preventScroll: true });
  }
  return true;
}
