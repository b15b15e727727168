import { createElement } from './dom.js';

const STEP_MS = 30_000;

/** The characters of a secret, 5 bits each (RFC 4648 §6). */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * Plays the authenticator app of visitors who have none: it computes the codes in the browser (RFC 6238), from the
 * secret that was set up on this page. Only a demo may do that. A page that knows the secret is not a second factor.
 */
export class DemoAuthenticator {
  #secret = '';
  #used = -1;
  /** @type {{ place: HTMLElement, code: HTMLOutputElement }[]} */
  #helpers = [];

  constructor() {
    setInterval(() => this.#show(), 250);
  }

  /** Keeps the secret of a set-up, until the page is closed. @param {string} secret */
  keep(secret) {
    this.#secret = secret;
    this.#used = -1;
    for (const { place, code } of this.#helpers) {
      place.hidden = !this.#canCompute;
      code.value = '';
    }
  }

  /** Forgets the secret, because the factor was removed. */
  forget() {
    this.keep('');
  }

  /** Remembers that the server has accepted a code just now: it does not accept it again. */
  markUsed() {
    this.#used = currentStep();
  }

  /** Adds the helper to a form. @param {Element} place */
  addTo(place) {
    const code = createElement('output', { class: 'big', 'aria-live': 'off' });
    const button = createElement('button', { type: 'button' }, 'Show the code that an app shows now');
    button.addEventListener('click', () => {
      code.value = '…';
      this.#show();
    });
    const badge = createElement('span', { class: 'badge' }, 'demo only');
    const hint = ' No authenticator app at hand? This page knows the secret until you reload it. A real page must not.';
    const words = createElement('p', { class: 'hint' }, badge, hint);
    const helper = createElement('aside', { class: 'demo-only' }, words, button, code);
    helper.hidden = !this.#canCompute;
    this.#helpers = [...this.#helpers.filter((each) => each.place.isConnected), { place: helper, code }];
    place.append(helper);
  }

  /** Browsers offer cryptography only to pages of this machine and by TLS. */
  get #canCompute() {
    return this.#secret !== '' && isSecureContext;
  }

  async #show() {
    const shown = this.#helpers.filter(({ code }) => code.value !== '');
    if (!this.#canCompute || shown.length === 0) return;
    const step = currentStep();
    const seconds = Math.ceil(((step + 1) * STEP_MS - Date.now()) / 1000);
    const digits = await codeOf(this.#secret, step);
    const words = step === this.#used ? `used; the next one comes in ${seconds} s` : `for ${seconds} s`;
    for (const { code } of shown) code.value = `${digits.slice(0, 3)} ${digits.slice(3)} (${words})`;
  }
}

function currentStep() {
  return Math.floor(Date.now() / STEP_MS);
}

/**
 * @param {string} secret
 * @param {number} step
 */
async function codeOf(secret, step) {
  const algorithm = { name: 'HMAC', hash: 'SHA-1' };
  const key = await crypto.subtle.importKey('raw', bytesOf(secret), algorithm, false, ['sign']);
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const hash = new DataView(await crypto.subtle.sign('HMAC', key, counter));
  const number = hash.getUint32(hash.getUint8(hash.byteLength - 1) & 0xf) & 0x7fff_ffff; // RFC 4226 §5.3
  return String(number % 1_000_000).padStart(6, '0');
}

/** @param {string} secret */
function bytesOf(secret) {
  const bits = [...secret].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
