import { createElement } from './dom.js';
import { describeEvent, whyOf } from './family-story.js';

/**
 * The items of the story: what happened, and why.
 *
 * @param {import('./family-story.js').Family} family
 * @returns {HTMLElement[]}
 */
export function storyLines(family) {
  return family.events.map((each) => {
    const isDeath = each.kind === 'ended' || (each.kind === 'refused' && each.isProof);
    const holder = 'by' in each ? each.by : each.kind === 'copied' ? 'thief' : 'nobody';
    const what = createElement('span', { class: 'what' }, describeEvent(family, each));
    const why = createElement('span', { class: 'why' }, whyOf(family, each));
    return createElement('li', { class: isDeath ? 'death' : holder }, what, ' ', why);
  });
}
