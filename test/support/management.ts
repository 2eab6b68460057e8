/** The broker's management API, as a program without an AMQP library would use it. */
export async function publishOverHttp(exchange: string, routingKey: string, payload: string): Promise<void> {
  const url = new URL(process.env['RABBITMQ_MANAGER_URL'] ?? '');
  const credentials = Buffer.from(`${url.username}:${url.password}`).toString('base64');
  const response = await fetch(`${url.origin}/api/exchanges/%2F/${encodeURIComponent(exchange)}/publish`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
    body: JSON.stringify({ properties: {}, routing_key: routingKey, payload, payload_encoding: 'string' }),
  });
  const answer: unknown = await response.json();
  if (!response.ok || !(answer as { routed?: boolean }).routed) {
    throw new Error(`The management API did not route the message: ${response.status} ${JSON.stringify(answer)}`);
  }
}
