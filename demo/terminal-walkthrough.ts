/** Shell commands that show a token theft in a terminal, with the refresh token in a cookie or in bodies. */
export function terminalWalkthrough(url: string, isCookie: boolean): string {
  return isCookie ? cookieWalkthrough(url) : bodyWalkthrough(url);
}

function cookieWalkthrough(url: string): string {
  return `# sign up; the refresh token is stored in the cookie jar, the access token in a variable
ACCESS=$(curl -s -c owner.txt ${url}/auth/registration -H 'Content-Type: application/json' \\
  -d '{"email":"ada'$(date +%s)'@example.com","password":"a long sentence"}' | sed 's/.*"access":"\\([^"]*\\)".*/\\1/')
# call the API: without a database query, then with the user loaded
curl -s ${url}/profile/id -H "Authorization: Bearer $ACCESS"; echo
curl -s ${url}/profile -H "Authorization: Bearer $ACCESS"; echo
# a thief copies the cookie
cp owner.txt thief.txt
# the owner refreshes, twice
curl -s -b owner.txt -c owner.txt -X POST ${url}/auth/refresh; echo
curl -s -b owner.txt -c owner.txt -X POST ${url}/auth/refresh; echo
# the thief uses the copy: it is refused, and the session is revoked
curl -s -b thief.txt -X POST ${url}/auth/refresh; echo
# the owner's token is revoked too: sign in again
curl -s -b owner.txt -X POST ${url}/auth/refresh; echo`;
}

function bodyWalkthrough(url: string): string {
  const json = `-H 'Content-Type: application/json'`;
  return `field() { sed 's/.*"'$1'":"\\([^"]*\\)".*/\\1/'; }
# sign up
TOKENS=$(curl -s ${url}/auth/registration ${json} \\
  -d '{"email":"ada'$(date +%s)'@example.com","password":"a long sentence"}')
ACCESS=$(echo "$TOKENS" | field access); STOLEN=$(echo "$TOKENS" | field refresh)
# call the API: without a database query, then with the user loaded
curl -s ${url}/profile/id -H "Authorization: Bearer $ACCESS"; echo
curl -s ${url}/profile -H "Authorization: Bearer $ACCESS"; echo
# the owner refreshes, twice
TOKENS=$(curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$STOLEN'"}'); echo "$TOKENS"
TOKENS=$(curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$(echo "$TOKENS" | field refresh)'"}'); echo "$TOKENS"
# a thief uses the first token: it is refused, and the session is revoked
curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$STOLEN'"}'; echo
# the owner's token is revoked too: sign in again
curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$(echo "$TOKENS" | field refresh)'"}'; echo`;
}
