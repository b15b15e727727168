/** The look of the page: what is too wide, too small, too faint (WCAG 1.4.3) or moves; runs in the browser. */
export const LOOK = `(() => {
  const isVisible = (element) => element.checkVisibility();
  // color-mix(), as under the mouse, is computed to color(srgb …), whose parts are between 0 and 1.
  const rgb = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number).map((part) => (colour.startsWith('color(') ? part * 255 : part));
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each);
      if ((rgb(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
    }
  };
  const contrast = (element) => {
    const [one, two] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    return (one + 0.05) / (two + 0.05);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    small: [...document.querySelectorAll('a, button, input:not([type=checkbox]), label.check')]
      .filter((element) => isVisible(element) && element.getBoundingClientRect().height < 44)
      .map((element) => element.outerHTML),
    faint: [...document.querySelectorAll('body *:not(svg *)')]
      .filter((element) => isVisible(element) && hasText(element) && contrast(element) < 4.5)
      .map((element) => element.outerHTML),
    headings: document.querySelectorAll('h1').length,
    moving: document.getAnimations().length,
  };
})()`;

/** The result of `LOOK` for a correct page. */
export const WELL = (colorScheme: 'light' | 'dark') => ({
  overflow: 0,
  background: colorScheme === 'dark' ? 'rgb(17, 24, 39)' : 'rgb(243, 244, 246)',
  small: [],
  faint: [],
  headings: 1,
  moving: 0,
});
