/** The built-in pages of this feature: the body of each, as an Eta template. */
export const MAGIC_LINK_PAGES = {
  'magic-link-sign-in': `<h1>Sign in to <%= it.app %></h1>
<% if (it.action) { %><p>You sign in as <strong><%= it.email %></strong>.
Continue only if you have asked for this mail yourself.</p>
<form method="post" action="<%= it.action %>">
<button>Sign in</button>
</form>
<% } else { %><p>Enter the code from the mail where you asked for it.</p><% } %>`,
  'magic-link-done': `<% if (it.needsSecondFactor) { %><h1>Your account needs your second factor</h1>
<p>This page cannot ask for it. Enter the code from the mail where you asked for it at <%= it.app %>,
then sign in with your second factor.</p>
<% } else { %><h1>You are signed in</h1>
<p>You can close this page and go on at <%= it.app %>.</p><% } %>`,
  'magic-link-failed': `<h1>This link cannot be used</h1>
<p>It has expired, it or the code of its mail was already used, or a newer mail replaced it.
Open the link in the latest mail, or ask for a new mail at <%= it.app %>.</p>`,
} as const;
