/** The bodies of the built-in pages, by name. They are inserted into the layout. */
export const DEFAULT_PAGES = {
  'set-password': `<h1><%= it.title %></h1>
<p>For <strong><%= it.email %></strong> at <%= it.app %>.</p>
<form method="post" action="<%= it.action %>">
<input type="text" name="email" value="<%= it.email %>" autocomplete="username" readonly hidden>
<label for="new-password">New password</label>
<input id="new-password" name="newPassword" type="password" autocomplete="new-password"
 required minlength="<%= it.minLength ?? 8 %>" maxlength="128" autofocus
 aria-describedby="rules<% if (it.error) { %> error<% } %>"<% if (it.error) { %> aria-invalid="true"<% } %>>
<p id="rules" class="hint">At least <%= it.minLength ?? 8 %> characters. A sentence works well.</p>
<% if (it.error) { %><p id="error" role="alert"><%= it.error %></p><% } %>
<button>Set password</button>
</form>`,
  'email-verified': `<h1>Your address is confirmed</h1>
<p>Thank you. You can close this page and sign in at <%= it.app %>.</p>`,
  'undo-email': `<h1>Undo the change of your address?</h1>
<p>Your account at <%= it.app %> gets <strong><%= it.email %></strong> back.
All devices are signed out, and you choose a new password.</p>
<form method="post" action="<%= it.action %>">
<button>Undo the change</button>
</form>`,
  'email-undone': `<h1>Your address is back</h1>
<p>All devices were signed out of your account at <%= it.app %>, and its old password no longer works.</p>
<p><a href="<%= it.link %>">Choose a new password</a></p>`,
  'link-failed': `<h1>This link cannot be used</h1>
<p>It has expired, it was already used, or a newer mail replaced it.
Open the link in the latest mail, or ask for a new one.</p>
<% if (it.requestUrl) { %><p><a href="<%= it.requestUrl %>">Ask for a new link</a></p><% } %>`,
  error: `<h1><%= it.title %></h1>
<p><%= it.error %></p>
<p>Nothing was changed.<% if (it.isTemporary) { %> Wait a while, then open the link in the mail again.<% } %></p>`,
  done: `<h1>Your password is set</h1>
<p>You can now use it at <%= it.app %>. All other devices were signed out.</p>
<% if (it.needsSecondFactor) { %><p>Sign in there with your new password and your second factor.</p><% } %>`,
} as const;

/** The layout around every page. */
export const DEFAULT_LAYOUT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><%= it.heading %></title>
<style>
:root { color-scheme: light dark; --page: #f3f4f6; --card: #ffffff; --text: #111827; --hint: #4b5563;
  --action: #1d4ed8; --on-action: #ffffff; --error: #b91c1c; --border: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111827; --card: #1f2937; --text: #f9fafb; --hint: #d1d5db;
    --action: #93c5fd; --on-action: #111827; --error: #fca5a5; --border: #9ca3af; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 28rem; margin: 8vh auto 0; padding: 2rem; background: var(--card); border-radius: 0.75rem;
  overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
label { display: block; margin-bottom: 0.25rem; font-weight: 600; }
input { width: 100%; padding: 0.75rem; border: 1px solid var(--border); border-radius: 0.5rem;
  background: var(--card); color: var(--text); font: inherit; }
.hint { margin: 0.25rem 0 1rem; color: var(--hint); font-size: 0.875rem; }
[role="alert"] { color: var(--error); font-weight: 600; }
button { width: 100%; padding: 0.75rem; border: 0; border-radius: 0.5rem;
  background: var(--action); color: var(--on-action); font: inherit; font-weight: 600; cursor: pointer; }
a { display: inline-block; padding: 0.625rem 0; color: var(--action); }
:focus-visible { outline: 3px solid var(--action); outline-offset: 2px; }
main > :last-child { margin-bottom: 0; }
</style>
</head>
<body>
<main>
<%~ it.body %>
</main>
</body>
</html>
`;
