import { connect } from 'amqplib';
import { rabbitUrl } from '../lesson';

/** The shop, another program: says that something was ordered. */
export default async function order([number = '4711']: string[]): Promise<void> {
  const connection = await connect(rabbitUrl);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('shop', 'topic');

  channel.publish('shop', 'order.placed', Buffer.from(JSON.stringify({ order: Number(number) })));
  await channel.waitForConfirms();
  console.log(`Ordered ${number}`);

  await connection.close();
}
