import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of unsent mails. */
export const OUTBOX_MAIL_ENTITY = 'AuthOutboxMail';

/** The recipient of a row that is not a mail but a job (`BackgroundJobs`). */
export const JOB_RECIPIENT = '';

/** The unsent mails and waiting jobs. The row of a sent mail is deleted, because the mail contains secret links. */
export function createOutboxMailEntity(): EntitySchema {
  return defineEntity({
    name: OUTBOX_MAIL_ENTITY,
    tableName: 'auth_outbox_mail',
    properties: {
      id: p.uuid().primary(),
      recipient: p.string().length(254),
      /** Encrypted: subject, text and HTML of a mail, or name and payload of a job. */
      content: p.text(),
      attempts: p.integer(),
      nextAttemptAt: p.datetime(3).index(),
      /** From then on the mail or job is not tried any more, for example because the link of the mail has expired. */
      expiresAt: p.datetime(3),
    },
  });
}
