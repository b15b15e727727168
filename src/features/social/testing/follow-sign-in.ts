/** The end of a sign-in that was followed. */
export interface FollowedSignIn {
  /** The URL of the app to which the browser is sent, with what the sign-in has added to it. It was not opened. */
  readonly url: URL;
  /** The cookies that the app has set, for the header `Cookie`. */
  readonly cookie: string;
}

/**
 * Signs in as a browser does: opens the URL that begins a sign-in, and follows the redirects to the provider and back.
 * The callback is opened at the origin of the start, because nothing listens at the PUBLIC_URL of a test app.
 *
 * @param start such as `${app.url}/auth/social/test?returnTo=/welcome`
 * @param cookie the cookies of the browser at the app. Default: none
 * @throws Error if an answer is no redirect
 */
export async function followSignIn(start: string, cookie = ''): Promise<FollowedSignIn> {
  const cookies = new Map(cookie.split('; ').map(pairOf));
  const jar = () => [...cookies].flatMap(([name, value]) => (name ? `${name}=${value}` : [])).join('; ');
  const open = async (url: URL | string, isApp: boolean): Promise<URL> => {
    const answer = await fetch(url, { redirect: 'manual', headers: isApp ? { cookie: jar() } : {} });
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${new URL(url).pathname} answered ${answer.status}, no redirect`);
    for (const each of isApp ? answer.headers.getSetCookie() : []) cookies.set(...pairOf(each));
    return new URL(location);
  };
  const provider = await open(start, true);
  if (!provider.searchParams.has('code_challenge')) return { url: provider, cookie: jar() }; // refused at once
  const callback = await open(provider, false);
  const { pathname, search } = callback;
  const url = await open(new URL(pathname + search, start), true);
  return { url, cookie: jar() };
}

/** Name and value of a cookie, without its attributes. */
function pairOf(cookie: string): [name: string, value: string] {
  const [pair = ''] = cookie.split(';');
  const at = pair.indexOf('=');
  return [pair.slice(0, Math.max(at, 0)), pair.slice(at + 1)];
}
