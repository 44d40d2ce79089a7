"""python3 -m applications.observability.shipper"""

from applications.observability.shipper.service import main

if __name__ == "__main__":
    main()
