const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');

const hidden = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
    .join('\n');

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 3rem auto; padding: 0 1rem }
  label { display: block; margin-top: 1rem }
  input:not([type]), input[type=email] { display: block; width: 100%; padding: .4rem }
  input { box-sizing: border-box; font: inherit }
  button { font: inherit; margin: 1rem .5rem 0 0; padding: .4rem 1rem }
</style>
${body}
</html>`;

/**
 * The page of a provider for development: the visitor enters a name and an address, and is that user.
 *
 * @param request the parameters of the authorization request, which the form sends again
 */
export function signInPage(name: string, request: Readonly<Record<string, string>>): string {
  return page(
    escapeHtml(name),
    `<h1>${escapeHtml(name)}</h1>
<p>This provider runs on your machine, for development. It has no passwords: you are the user that you enter.</p>
<form method="post" action="authorize">
${hidden(request)}
<label>Name <input name="user_name" autocomplete="name"></label>
<label>E-mail address <input type="email" name="user_email" autocomplete="email" required></label>
<label><input type="checkbox" name="user_email_verified" value="true" checked>
The provider has verified the address</label>
<button name="user_decision" value="allow">Continue</button>
<button name="user_decision" value="deny" formnovalidate>Cancel</button>
</form>`,
  );
}

/** The page that posts the answer to the app (`response_mode=form_post`), as Apple does. */
export function formPostPage(redirectUri: string, answer: URLSearchParams): string {
  return page(
    'Continue',
    `<form method="post" action="${escapeHtml(redirectUri)}">
${hidden(Object.fromEntries(answer))}
<button>Continue</button>
</form>
<script>document.forms[0].submit()</script>`,
  );
}
