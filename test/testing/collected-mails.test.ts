import { expect, test } from 'vitest';
import { CollectedMails } from '../../src/testing/index.js';

const mail = (to: string, text: string) => ({ to, subject: 'A subject', text, html: '', messageId: '<1@example.com>' });

test('the latest mail to an address is returned once there are enough, whatever the case of the address', async () => {
  const mails = new CollectedMails();
  const second = mails.linkTo('Ada@Example.com ', 2);
  await mails.send(mail('ada@example.com', 'Open https://app.example.com/1'));
  await mails.send(mail('eve@example.com', 'Open https://app.example.com/eve'));
  expect(await mails.linkTo('ada@example.com')).toBe('https://app.example.com/1');
  await mails.send(mail('ADA@example.com', 'Open https://app.example.com/2'));
  expect(await second).toBe('https://app.example.com/2');
  expect((await mails.to('ada@example.com')).text).toBe('Open https://app.example.com/2');
  expect(mails.all).toHaveLength(3);
});

test('cleared mails are not counted any more', async () => {
  const mails = new CollectedMails();
  await mails.send(mail('ada@example.com', 'Open https://app.example.com/1'));
  mails.clear();
  expect(mails.all).toEqual([]);
  const next = mails.linkTo('ada@example.com');
  await mails.send(mail('ada@example.com', 'Open https://app.example.com/2'));
  expect(await next).toBe('https://app.example.com/2');
});

test('a mail without a link causes an error', async () => {
  const mails = new CollectedMails();
  await mails.send(mail('ada@example.com', 'No link'));
  await expect(mails.linkTo('ada@example.com')).rejects.toThrow('there is no link in the mail to ada@example.com');
});
