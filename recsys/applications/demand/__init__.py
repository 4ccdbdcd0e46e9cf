"""Weekly demand of products, forecast by several methods, and the stock that the forecasts ask for."""
