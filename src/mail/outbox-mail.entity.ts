import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name under which the ORM knows the mails that wait to be sent. */
export const OUTBOX_MAIL_ENTITY = 'AuthOutboxMail';

/** Stands for the recipient in a row that is no mail but work that makes some (`BackgroundJobs`). */
export const JOB_RECIPIENT = '';

/** The mails that wait to be sent. A row goes with the sending: the links in it are secrets. */
export function createOutboxMailEntity(): EntitySchema {
  return defineEntity({
    name: OUTBOX_MAIL_ENTITY,
    tableName: 'auth_outbox_mail',
    properties: {
      id: p.uuid().primary(),
      recipient: p.string().length(254),
      /** Subject, text and HTML, encrypted. */
      content: p.text(),
      attempts: p.integer(),
      nextAttemptAt: p.datetime(3).index(),
      /** When it is of no use any more, because its link has expired. */
      expiresAt: p.datetime(3),
    },
  });
}
