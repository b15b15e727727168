import type { ParsedMail } from 'mailparser';
import type { SettingsInput } from '../../src/index.js';
import { type MailSink, startMailSink } from './mail-sink.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import { until } from './until.js';

/** The host in the links of mails; nothing listens there. */
export const PUBLIC_URL = 'http://accounts.test';

/** An answer to a browser, which follows no redirect. */
export interface PageAnswer {
  readonly status: number;
  readonly location: string | null;
  readonly html: string;
  readonly headers: Headers;
  /** Cookies as they were set, by name. */
  readonly cookies: ReadonlyMap<string, string>;
}

/** An app that sends mails to a real SMTP server. */
export interface MailApp extends TestApp {
  readonly sink: MailSink;
  /** The mails to an address, oldest first, once there are enough. */
  mailsTo(address: string, count?: number): Promise<ParsedMail[]>;
  /** The link in the latest mail to an address, on this app's server. */
  linkTo(address: string, count?: number): Promise<string>;
  /** Opens an address as a browser does. */
  open(url: string, init?: RequestInit): Promise<PageAnswer>;
  /** Waits until all current work is done, and returns the number of mails. */
  mailCount(): Promise<number>;
}

/** Starts an app with EMAIL_VERIFICATION and related settings. */
export async function createMailApp(settings: SettingsInput, options: TestAppOptions = {}): Promise<MailApp> {
  const sink = await startMailSink();
  const mailSettings = { publicUrl: PUBLIC_URL, smtpUrl: sink.url, emailFrom: 'Example <no-reply@example.com>' };
  const app = await createTestApp({ ...options, settings: { ...mailSettings, mailRateLimit: 'off', ...settings } });
  const toAddress = (address: string) =>
    sink.mails.filter((mail) => [mail.to].flat().some((to) => to?.text === address));
  const mailsTo = async (address: string, count = 1) => {
    await until(() => toAddress(address).length >= count);
    return toAddress(address);
  };
  return {
    ...app,
    sink,
    mailsTo,
    linkTo: async (address, count) => {
      const mail = (await mailsTo(address, count)).at(-1);
      const [link] = mail?.text?.match(/http:\/\/accounts\.test\/\S+/) ?? [];
      if (!link) throw new Error('there is no link in the mail');
      if (!String(mail?.html).includes(link)) throw new Error('the two parts of the mail have other links');
      return link.replace(PUBLIC_URL, app.url);
    },
    open: async (url, init = {}) => {
      const response = await fetch(url.replace(PUBLIC_URL, app.url), { redirect: 'manual', ...init });
      const cookies = response.headers.getSetCookie().map((cookie) => [cookie.split('=')[0] ?? '', cookie] as const);
      return {
        status: response.status,
        location: response.headers.get('location'),
        html: await response.text(),
        headers: response.headers,
        cookies: new Map(cookies),
      };
    },
    mailCount: async () => {
      await app.auth.close();
      return sink.mails.length;
    },
    close: async () => {
      await app.close();
      await sink.close();
    },
  };
}
