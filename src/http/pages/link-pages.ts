import type { JwtAllauthError } from '../../error.js';
import type { Settings } from '../../settings/settings.js';
import type { HttpResponse } from '../http-message.js';
import { redirect, sendPage } from './page-response.js';
import type { PageTemplates } from './page-templates.js';

/** The pages that a browser sees after a mailed link was opened, where the app has none of its own. */
export class LinkPages {
  constructor(
    private readonly templates: PageTemplates,
    private readonly settings: Settings,
  ) {}

  /** An address is confirmed: the app's page, or ours. */
  verified(response: HttpResponse): HttpResponse {
    const { emailVerifiedRedirect: url } = this.settings;
    if (url) return redirect(response, url);
    return sendPage(response, 200, this.templates.render('email-verified', { app: this.#app }));
  }

  /** A link is good for nothing. */
  failed(response: HttpResponse): HttpResponse {
    const { passwordResetRequestUrl: requestUrl } = this.settings;
    return sendPage(response, 400, this.templates.render('link-failed', { app: this.#app, requestUrl }));
  }

  /** Asks whether a changed address shall be taken back. */
  askUndo(response: HttpResponse, form: { readonly email: string; readonly action: string }): HttpResponse {
    return sendPage(response, 200, this.templates.render('undo-email', { app: this.#app, ...form }));
  }

  /** A changed address was taken back; the link leads to a new password. */
  undone(response: HttpResponse, link: string): HttpResponse {
    return sendPage(response, 200, this.templates.render('email-undone', { app: this.#app, link }));
  }

  /** The form for a new password, with what was wrong with the last try. */
  setPassword(
    response: HttpResponse,
    status: number,
    form: { readonly title: string; readonly action: string; readonly email: string; readonly error?: string },
  ): HttpResponse {
    const { passwordMinLength: minLength } = this.settings;
    return sendPage(response, status, this.templates.render('set-password', { ...form, app: this.#app, minLength }));
  }

  /** The password is set; a sign-in with the second factor may have to follow. */
  done(response: HttpResponse, { needsSecondFactor = false } = {}): HttpResponse {
    return sendPage(response, 200, this.templates.render('done', { app: this.#app, needsSecondFactor }));
  }

  /** Something went wrong that is no fault of the link. */
  error(response: HttpResponse, { httpCode, detail, retryAfter }: JwtAllauthError): HttpResponse {
    const isPassing = retryAfter !== undefined;
    if (isPassing) response.setHeader('Retry-After', String(retryAfter));
    const title = isPassing ? 'Please try again later' : 'This did not work';
    return sendPage(
      response,
      httpCode,
      this.templates.render('error', { app: this.#app, title, error: detail, isPassing }),
    );
  }

  get #app(): string {
    return this.settings.publicUrl ? new URL(this.settings.publicUrl).host : '';
  }
}
