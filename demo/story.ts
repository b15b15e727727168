/** The lines that show in a terminal what a stolen refresh token is worth, for the way in which tokens travel. */
export function story(url: string, isCookie: boolean): string {
  return isCookie ? cookieStory(url) : bodyStory(url);
}

function cookieStory(url: string): string {
  return `# sign up; the refresh token goes into the cookie jar, the access token into a variable
ACCESS=$(curl -s -c owner.txt ${url}/auth/registration -H 'Content-Type: application/json' \\
  -d '{"email":"ada'$(date +%s)'@example.com","password":"a long sentence"}' | sed 's/.*"access":"\\([^"]*\\)".*/\\1/')
# call: without a query, then with the user loaded
curl -s ${url}/profile/id -H "Authorization: Bearer $ACCESS"; echo
curl -s ${url}/profile -H "Authorization: Bearer $ACCESS"; echo
# somebody copies the cookie
cp owner.txt thief.txt
# the owner refreshes, twice
curl -s -b owner.txt -c owner.txt -X POST ${url}/auth/refresh; echo
curl -s -b owner.txt -c owner.txt -X POST ${url}/auth/refresh; echo
# the thief replays the copy: refused, and the session is over
curl -s -b thief.txt -X POST ${url}/auth/refresh; echo
# the owner's token is dead too: sign in again
curl -s -b owner.txt -X POST ${url}/auth/refresh; echo`;
}

function bodyStory(url: string): string {
  const json = `-H 'Content-Type: application/json'`;
  return `field() { sed 's/.*"'$1'":"\\([^"]*\\)".*/\\1/'; }
# sign up
TOKENS=$(curl -s ${url}/auth/registration ${json} \\
  -d '{"email":"ada'$(date +%s)'@example.com","password":"a long sentence"}')
ACCESS=$(echo "$TOKENS" | field access); STOLEN=$(echo "$TOKENS" | field refresh)
# call: without a query, then with the user loaded
curl -s ${url}/profile/id -H "Authorization: Bearer $ACCESS"; echo
curl -s ${url}/profile -H "Authorization: Bearer $ACCESS"; echo
# the owner refreshes, twice
TOKENS=$(curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$STOLEN'"}'); echo "$TOKENS"
TOKENS=$(curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$(echo "$TOKENS" | field refresh)'"}'); echo "$TOKENS"
# a thief replays the first token: refused, and the session is over
curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$STOLEN'"}'; echo
# the owner's token is dead too: sign in again
curl -s ${url}/auth/refresh ${json} -d '{"refresh":"'$(echo "$TOKENS" | field refresh)'"}'; echo`;
}
