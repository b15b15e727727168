import { byId, make, show } from './dom.js';
import { endOf, hintOf, sentenceOf, withEnd } from './family-story.js';
import { onPress } from './outcome.js';
import { ask } from './request.js';
import { drawFamily } from './token-diagram.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('./family-story.js').Family} Family */

/** What becomes of a stolen refresh token. The last story stays when its session has died. */
export class TheftPanel {
  #panel = byId('theft');
  #outcome = byId('theft-outcome');
  #hint = byId('theft-hint');
  #story = byId('story', HTMLOListElement);
  #diagram = byId('diagram');
  #copy = byId('copy-token', HTMLButtonElement);
  #asOwner = byId('refresh-owner', HTMLButtonElement);
  #asThief = byId('refresh-thief', HTMLButtonElement);
  /** @type {Family | undefined} */
  #family;
  /** When the grace ends, by this machine's clock. */
  #graceEnd = 0;
  /** @type {string | undefined} the session whose story it is */
  #session;
  /** @type {unknown} the state of which the story knows */
  #seen;
  #isStaged;

  /**
   * @param {Client} client
   * @param {{ isCookie: boolean, isDevelopment: boolean }} settings
   */
  constructor(client, { isCookie, isDevelopment }) {
    this.client = client;
    this.#isStaged = isCookie && isDevelopment;
    if (!this.#isStaged) {
      byId('theft-stage').hidden = true;
      const why = isDevelopment ? 'the refresh token in a cookie (REFRESH_TOKEN_AS_COOKIE)' : 'NODE_ENV=development';
      show(byId('theft-intro'), `The theft is not shown here: it needs ${why}.`);
      return;
    }
    onPress(this.#copy, this.#outcome, async () => {
      this.#take((await ask(client, 'POST', '/theft/copy')).family);
      return this.#last('copied');
    });
    onPress(this.#asOwner, this.#outcome, async () => {
      const { status } = await client.refresh();
      if (status === 'signed-in') await this.#load();
      return this.#last('owner');
    });
    onPress(this.#asThief, this.#outcome, async () => {
      const { outcome, family } = await ask(client, 'POST', '/theft/refresh');
      this.#take(family);
      return `${this.#last('thief')} The server answered ${outcome.status}${outcome.code ? ` ${outcome.code}` : ''}.`;
    });
    new ResizeObserver(() => this.#draw()).observe(this.#diagram);
    setInterval(() => this.#showHint(), 250);
  }

  update() {
    const { state } = this.client;
    if (state.status === 'signed-in') {
      if (state.claims.session !== this.#session) this.#forget();
      this.#session = state.claims.session;
      if (this.#isStaged && this.#seen !== state) this.#load().catch(() => {}); // the next change asks again
    } else if (state.status === 'signed-out' && this.#seen !== state) {
      if (state.reason && this.#family) this.#take(withEnd(this.#family, state.reason));
      else this.#forget();
      this.#session = undefined;
    }
    this.#seen = state;
    this.#panel.hidden = state.status !== 'signed-in' && !this.#family;
    this.#showButtons();
  }

  async #load() {
    const session = this.#session;
    const { family } = await ask(this.client, 'GET', '/theft/family');
    if (session === this.#session && this.client.state.status === 'signed-in') this.#take(family);
  }

  /** @param {Family} family */
  #take(family) {
    // Answers can overtake each other; what has more to tell is the newer.
    if (this.#family && family.happenings.length < this.#family.happenings.length) return;
    this.#family = family;
    this.#graceEnd = Date.now() + family.graceLeft;
    this.#tellStory(family);
    this.#draw();
    this.#showHint();
    this.#showButtons();
  }

  #forget() {
    this.#family = this.#session = undefined;
    this.#outcome.replaceChildren();
    this.#story.replaceChildren();
    this.#diagram.replaceChildren();
    show(this.#hint, '');
  }

  /** @param {Family} family */
  #tellStory({ happenings }) {
    const lines = happenings.map((each) => {
      const isDeath = each.kind === 'ended' || (each.kind === 'refused' && each.isProof);
      const holder = 'by' in each ? each.by : each.kind === 'copied' ? 'thief' : 'nobody';
      return make('li', { class: isDeath ? 'death' : holder }, sentenceOf(each));
    });
    this.#story.replaceChildren(...lines);
  }

  #draw() {
    const { clientWidth } = this.#diagram;
    if (this.#family && clientWidth > 0) this.#diagram.replaceChildren(drawFamily(this.#family, clientWidth));
  }

  #showHint() {
    if (this.#family) show(this.#hint, hintOf(this.#family, this.#graceEnd - Date.now()));
  }

  /** A button that were disabled would lose the focus: these stay where they are, and do nothing. */
  #showButtons() {
    const isSignedIn = this.client.state.status === 'signed-in';
    for (const button of [this.#copy, this.#asOwner, this.#asThief]) {
      const isOff = !isSignedIn || (button === this.#asThief && !this.#family?.thief);
      button.setAttribute('aria-disabled', String(isOff));
    }
  }

  /**
   * The last line of the story that is about one of the two, and how it ended.
   * @param {'owner' | 'thief' | 'copied'} whom
   */
  #last(whom) {
    const { happenings = [] } = this.#family ?? {};
    const isIt = (/** @type {import('./family-story.js').Happening} */ each) =>
      each.kind === whom || ('by' in each && each.by === whom);
    const last = happenings.findLast(isIt);
    const end = this.#family && endOf(this.#family) ? ' The session has ended, for owner and thief.' : '';
    return last ? sentenceOf(last) + end : 'Nothing happened.';
  }
}
