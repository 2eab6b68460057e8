export interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { pointer: string; detail: string }[];
  outcome?: string;
}

/** As it stands. */
export function postText(url: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
  return fetch(url, init);
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return postText(url, JSON.stringify(body), headers);
}

/** The error of a response, which must be one in form, too. */
export async function problem(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  const problem = (await response.json()) as Problem;
  expect(problem.status).toBe(response.status);
  return problem;
}
