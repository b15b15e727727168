import type { JwtAllauthError } from '../../error.js';
import type { Settings } from '../../settings/settings.js';
import type { HttpResponse } from '../http-message.js';
import { redirect, sendPage } from './page-response.js';
import type { PageData, PageTemplates } from './page-templates.js';

/** Sends the HTML pages that a person sees after opening a mailed link, if the app has no page of its own. */
export class LinkPages {
  constructor(
    private readonly templates: PageTemplates,
    private readonly settings: Settings,
  ) {}

  /**
   * Sends a page by its name, such as one of a module (`AuthModule.pages`).
   *
   * @param formTargets origins of other sites to which the answer to the page's form may redirect
   */
  send(
    response: HttpResponse,
    status: number,
    name: string,
    { formTargets, ...data }: Omit<PageData, 'app'> & { readonly formTargets?: readonly string[] } = {},
  ): HttpResponse {
    return sendPage(response, status, this.templates.render(name, { app: this.#app, ...data }), formTargets);
  }

  /** Sends the page after an address was confirmed: the app's page, or the built-in one. */
  sendEmailVerified(response: HttpResponse): HttpResponse {
    const { emailVerifiedRedirect: url } = this.settings;
    if (url) return redirect(response, url);
    return sendPage(response, 200, this.templates.render('email-verified', { app: this.#app }));
  }

  /** Sends the page for a link that cannot be used. */
  sendLinkFailed(response: HttpResponse): HttpResponse {
    const { passwordResetRequestUrl: requestUrl } = this.settings;
    return sendPage(response, 400, this.templates.render('link-failed', { app: this.#app, requestUrl }));
  }

  /** Sends the page that asks whether to undo an address change. */
  sendUndoForm(response: HttpResponse, form: { readonly email: string; readonly action: string }): HttpResponse {
    return sendPage(response, 200, this.templates.render('undo-email', { app: this.#app, ...form }));
  }

  /** Sends the page after an address change was undone. Its link leads to the form for a new password. */
  sendEmailUndone(response: HttpResponse, link: string): HttpResponse {
    return sendPage(response, 200, this.templates.render('email-undone', { app: this.#app, link }));
  }

  /** Sends the form for a new password. `error` says what was wrong with the password that was sent before. */
  sendPasswordForm(
    response: HttpResponse,
    status: number,
    form: { readonly title: string; readonly action: string; readonly email: string; readonly error?: string },
  ): HttpResponse {
    const { passwordMinLength: minLength } = this.settings;
    return sendPage(response, status, this.templates.render('set-password', { ...form, app: this.#app, minLength }));
  }

  /** Sends the page after the password was set. With `needsSecondFactor`, it asks for a sign-in with that factor. */
  sendPasswordSet(response: HttpResponse, { needsSecondFactor = false } = {}): HttpResponse {
    return sendPage(response, 200, this.templates.render('done', { app: this.#app, needsSecondFactor }));
  }

  /** Sends the page for an error that is not caused by the link. */
  sendError(response: HttpResponse, { httpCode, detail, retryAfter }: JwtAllauthError): HttpResponse {
    // The error is temporary if it says when to retry.
    const isTemporary = retryAfter !== undefined;
    if (isTemporary) response.setHeader('Retry-After', String(retryAfter));
    const title = isTemporary ? 'Please try again later' : 'This did not work';
    return sendPage(
      response,
      httpCode,
      this.templates.render('error', { app: this.#app, title, error: detail, isTemporary }),
    );
  }

  /** The name of the app in the pages: the host of PUBLIC_URL. */
  get #app(): string {
    return this.settings.publicUrl ? new URL(this.settings.publicUrl).host : '';
  }
}
