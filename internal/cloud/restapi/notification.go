package restapi

import (
	"net/http"

	"mbl/internal/cloud/connect"
)

type channelAnswer struct {
	Mechanism string `json:"delivery_mechanism"`
}

func (a *API) pull(c *call) (answer, error) {
	message, err := a.connect.Poll(c.Context(), c.who)
	if err != nil {
		return answer{}, err
	}
	if message == nil {
		return answer{status: http.StatusNoContent}, nil
	}
	return answer{http.StatusOK, delivery{message, func() { a.connect.Return(c.who, message) }}}, nil
}

func (a *API) closeChannel(c *call) (answer, error) {
	word := "ALREADY_DELETED"
	if a.connect.CloseChannel(c.who) {
		word = "REMOVED"
	}
	return answer{http.StatusOK, plain(word)}, nil
}

func (a *API) channel(c *call) (answer, error) {
	mechanism, known := map[connect.ChannelKind]string{
		connect.LongPoll: "LONG_POLLING", connect.Callback: "CALLBACK", connect.Websocket: "WEB_SOCKET",
	}[a.connect.ChannelKind(c.who)]
	if !known {
		return answer{}, connect.ErrNoChannel
	}
	return answer{http.StatusOK, channelAnswer{mechanism}}, nil
}
