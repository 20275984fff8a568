package coap

// handlerStack is what a handler's goroutine needs in the end: handlers go
// down into a database engine and into signatures.
const handlerStack = 24 << 10

// growStack gives a goroutine that has just begun the stack it will need. Left
// to itself the stack grows in steps, deep down in the calls, and each step
// moves every frame there is: that took a twelfth of the time of a service
// under load. at is any number; it keeps the compiler from leaving the room
// out.
//
//go:noinline
func growStack(at int) byte {
	var room [handlerStack]byte
	return room[at%handlerStack]
}
