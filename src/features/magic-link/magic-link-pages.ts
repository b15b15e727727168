/** The built-in pages of this feature: the body of each, as an Eta template. */
export const MAGIC_LINK_PAGES = {
  'magic-link-sign-in': `<h1>Sign in to <%= it.app %></h1>
<% if (it.action) { %><p>You sign in as <strong><%= it.email %></strong>.
Continue only if you have asked for this mail yourself.</p>
<form method="post" action="<%= it.action %>">
<button>Sign in</button>
</form>
<% } else { %><p>Go back to the page or app where you asked for this mail.
Enter the code from the mail there.</p><% } %>`,
  'magic-link-done': `<% if (it.needsSecondFactor) { %><h1>Your account needs your second factor</h1>
<p>This page cannot ask for it. Go back to the page or app where you asked for this mail.
Enter the code from the mail there, then your second factor.</p>
<% } else { %><h1>You are signed in</h1>
<p>You can close this page and go on at <%= it.app %>.</p><% } %>`,
  'magic-link-failed': `<h1>This link cannot be used</h1>
<p>It has expired or was already used. A link also ends when the code of its mail is used, after three wrong
codes, and when a newer mail is sent. Open the link in the latest mail, or ask for a new mail at <%= it.app %>.</p>`,
} as const;
