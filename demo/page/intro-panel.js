import { byId, setText } from './dom.js';
import { legendOf } from './legend.js';
import { onPress } from './outcome.js';
import { drawFamily } from './token-diagram.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('./family-story.js').Family} Family */
/** @typedef {import('./theft-panel.js').TheftPanel} TheftPanel */

/** The story that the steps lead to. @type {Family} */
const EXAMPLE = {
  isBound: false,
  owner: 'first',
  thief: 'third',
  graceLeft: 0,
  events: [
    { kind: 'opened', received: 'first' },
    { kind: 'copied', presented: 'first' },
    { kind: 'rotated', by: 'thief', presented: 'first', received: 'second' },
    { kind: 'rotated', by: 'thief', presented: 'second', received: 'third' },
    { kind: 'refused', by: 'owner', presented: 'first', isProof: true },
    { kind: 'ended', reason: 'replay' },
  ],
};

/** What the demo is about, for visitors who are not signed in. */
export class IntroPanel {
  #panel = byId('intro');
  #example = byId('example');

  /**
   * @param {Client} client
   * @param {{ graceSeconds: number }} settings
   * @param {TheftPanel} theft
   */
  constructor(client, { graceSeconds }, theft) {
    this.client = client;
    this.theft = theft;
    this.#panel.querySelector('figcaption')?.append(legendOf(graceSeconds));
    const { allowed } = theft.kind;
    const blocked = byId('start-blocked');
    if (theft.obstacle) {
      setText(blocked, theft.obstacle);
      blocked.hidden = false;
      byId('start-hint').hidden = true;
    }
    for (const [name, kind] of /** @type {const} */ ([
      ['start-story', 'unbound'],
      ['start-bound', 'bound'],
    ])) {
      const button = byId(name, HTMLButtonElement);
      button.hidden = Boolean(theft.obstacle) || !allowed[kind];
      onPress(button, byId('intro-outcome'), async () => {
        await theft.start(kind === 'bound');
        return '';
      });
    }
    byId('with-key').hidden = byId('start-bound').hidden;
    new ResizeObserver(() => this.#draw()).observe(this.#example);
  }

  update() {
    this.#panel.hidden = this.client.state.status !== 'signed-out' || this.theft.hasStory;
  }

  #draw() {
    const { clientWidth } = this.#example;
    if (clientWidth > 0) this.#example.replaceChildren(drawFamily(EXAMPLE, clientWidth));
  }
}
