import { codesOf } from './codes.module.js';
import { mailedTo } from './magic-link-app.js';
import type { MailApp } from './mail-app.js';
import type { Person } from './person.js';

/** The first cookie of an answer, as a browser sends it. */
export const cookieOf = (cookies: ReadonlyMap<string, string>) => [...cookies.values()][0]?.split(';')[0] ?? '';

/** Opens the link in the mail to an address, and returns the cookie of the form behind it. */
export async function openLink(app: MailApp, address: string): Promise<string> {
  return cookieOf((await app.open(await app.linkTo(address))).cookies);
}

/** Asks for a mail to reset the password, and opens its link. */
export async function openReset(app: MailApp, { email }: Person): Promise<string> {
  await app.client().send('POST', '/auth/password/reset', { email });
  return openLink(app, email);
}

/** Makes the person an invited user, and opens the link of the invitation. */
export async function openInvitation(app: MailApp, { email, id }: Person): Promise<string> {
  const { database, mails } = codesOf(app.auth).kernel;
  const sql = `insert into auth_account (user_id, state, credential_epoch) values ($1, 'invited', 0)
    on conflict (user_id) do update set state = 'invited'`;
  await app.database.pool.query(sql, [id]);
  await database.transaction((em) => mails.sendLink('invitation', id, email, em));
  return openLink(app, email);
}

/** Asks for a mail to sign in, and reads it. */
export async function askForMail(app: MailApp, { email }: Person) {
  const { body } = await app.client().send('POST', '/auth/magic-link', { email });
  return { request: body.request as string, ...(await mailedTo(app, email)) };
}
