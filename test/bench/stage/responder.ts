/** Answers every TCP connection on a port, whatever the address, with that address, and closes. usage: responder.ts PORT */
import net from 'node:net'

const server = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.end(`${socket.localAddress}\n`)
})
server.listen({ host: '0.0.0.0', port: Number(process.argv[2]), backlog: 4096 }, () => process.stdout.write('{"msg":"listening"}\n'))
