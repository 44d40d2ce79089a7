"""The code inside the containers: one package a layer, on the shared data contract (`clinical`) and service parts (`runtime`)."""
