import { byId, setText } from './dom.js';
import { describeEvent, endOf, withEnd } from './family-story.js';
import { legendOf } from './legend.js';
import { nextStepOf } from './next-step.js';
import { onPress, showOutcome } from './outcome.js';
import { requestJson } from './request.js';
import { storyLines } from './story-lines.js';
import { signUpThrowAway } from './throw-away-account.js';
import { drawFamily } from './token-diagram.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('./family-story.js').Family} Family */

/** @typedef {import('./session-kind.js').SessionKind} SessionKind */

/**
 * Plays the theft of a refresh token, with or without a key of the session, by one button that leads to the end of the story or by three in any order. The
 * story stays on the page after its session has ended.
 */
export class TheftPanel {
  #panel = byId('theft');
  #title = byId('theft-title');
  #outcome = byId('theft-outcome');
  #hint = byId('theft-hint');
  #story = byId('story', HTMLOListElement);
  #diagram = byId('diagram');
  #legend = byId('legend');
  #copy = byId('copy-token', HTMLButtonElement);
  #asOwner = byId('refresh-owner', HTMLButtonElement);
  #asThief = byId('refresh-thief', HTMLButtonElement);
  #next = byId('next-step', HTMLButtonElement);
  #other = byId('other-kind', HTMLButtonElement);
  /** @type {Family | undefined} */
  #family;
  /** When the grace period ends, by this machine's clock. */
  #graceEnd = 0;
  /** @type {string | undefined} the session whose story it is */
  #session;
  /** @type {unknown} the state of the client that is shown */
  #seen;
  #isStaged;
  /** Whether a sign-up signs the visitor in at once. */
  #canRestart;

  /**
   * @param {Client} client
   * @param {{ isCookie: boolean, isDevelopment: boolean, emailVerification: string, graceSeconds: number, mfaMode: string }} settings
   * @param {SessionKind} kind
   */
  constructor(client, { isCookie, isDevelopment, emailVerification, graceSeconds, mfaMode }, kind) {
    this.client = client;
    this.kind = kind;
    this.graceSeconds = graceSeconds;
    this.#isStaged = isCookie && isDevelopment;
    this.#canRestart = emailVerification !== 'mandatory' && mfaMode !== 'required';
    /** Why the first screen cannot start the story; undefined where it can. @type {string | undefined} */
    this.obstacle = undefined;
    if (!this.#isStaged) {
      byId('theft-stage').hidden = true;
      const why = isDevelopment ? 'the refresh token in a cookie (REFRESH_TOKEN_AS_COOKIE)' : 'NODE_ENV=development';
      this.obstacle = `The theft is not shown here: it needs ${why}.`;
      setText(byId('theft-intro'), this.obstacle);
      return;
    }
    if (mfaMode === 'required') this.obstacle = 'Sign up below to start: here every account needs a second factor.';
    if (emailVerification === 'mandatory')
      this.obstacle = 'Sign up below to start: here a new address has to be confirmed by mail first.';
    this.#other.hidden = !this.#canRestart || !kind.canChoose;
    const actions = {
      copy: async () => {
        this.#take((await requestJson(client, 'POST', '/theft/copy')).family);
        return this.#last('copied');
      },
      owner: async () => {
        const { status } = await client.refresh();
        if (status === 'signed-in') await this.#load();
        return this.#last('owner');
      },
      thief: async () => {
        const { outcome, family } = await requestJson(client, 'POST', '/theft/refresh');
        this.#take(family);
        return `${this.#last('thief')} The server answered ${outcome.status}${outcome.code ? ` ${outcome.code}` : ''}.`;
      },
      restart: () => this.#signUp(kind.isBound),
    };
    onPress(this.#copy, this.#outcome, actions.copy);
    onPress(this.#asOwner, this.#outcome, actions.owner);
    onPress(this.#asThief, this.#outcome, actions.thief);
    onPress(this.#other, this.#outcome, () => this.#signUp(!this.#family?.isBound));
    onPress(this.#next, this.#outcome, async () => actions[this.#step()?.action ?? 'restart']());
    new ResizeObserver(() => this.#draw()).observe(this.#diagram);
    setInterval(() => this.#showStep(), 250);
  }

  /** Whether there is a story on the page. */
  get hasStory() {
    return this.#family !== undefined;
  }

  /** Makes a throw-away account, signs it in and goes to the first step. @param {boolean} isBound to a key */
  async start(isBound) {
    showOutcome(this.#outcome, await this.#signUp(isBound));
    this.#title.focus();
  }

  /** @param {boolean} isBound */
  async #signUp(isBound) {
    this.kind.isBound = isBound;
    return `You are signed in with a throw-away account, ${await signUpThrowAway(this.client)}.`;
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
    const { family } = await requestJson(this.client, 'GET', '/theft/family');
    if (session === this.#session && this.client.state.status === 'signed-in') this.#take(family);
  }

  /** @param {Family} family */
  #take(family) {
    // Answers can overtake each other: the longer story is the newer one.
    if (this.#family && family.events.length < this.#family.events.length) return;
    this.#family = family;
    this.#graceEnd = Date.now() + family.graceLeft;
    this.#story.replaceChildren(...storyLines(family));
    this.#legend.replaceChildren(legendOf(this.graceSeconds, family.isBound));
    setText(this.#other, `The same theft, ${family.isBound ? 'without' : 'with'} a key`);
    this.#draw();
    this.#showStep();
    this.#showButtons();
  }

  #forget() {
    this.#family = this.#session = undefined;
    this.#outcome.replaceChildren();
    this.#story.replaceChildren();
    this.#diagram.replaceChildren();
    setText(this.#hint, '');
  }

  #draw() {
    const { clientWidth } = this.#diagram;
    if (this.#family && clientWidth > 0) this.#diagram.replaceChildren(drawFamily(this.#family, clientWidth));
  }

  #step() {
    return this.#family && nextStepOf(this.#family, this.#graceEnd - Date.now());
  }

  #showStep() {
    const step = this.#step();
    if (!step) return;
    setText(this.#hint, step.hint);
    setText(this.#next, step.label);
    const isPossible = step.action === 'restart' ? this.#canRestart : this.client.state.status === 'signed-in';
    this.#next.setAttribute('aria-disabled', String(!isPossible));
  }

  /** A disabled button would lose the focus: these stay where they are, and do nothing. */
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
    const family = this.#family;
    const isIt = (/** @type {import('./family-story.js').FamilyEvent} */ each) =>
      each.kind === whom || ('by' in each && each.by === whom);
    const last = family?.events.findLast(isIt);
    if (!family || !last) return 'Nothing happened.';
    return describeEvent(family, last) + (endOf(family) ? ' The session has ended, for owner and thief.' : '');
  }
}
